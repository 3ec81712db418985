/** Raft messages and log entries in etcd-raft's format. */
export * from './gen/raftpb/raft_pb.js';
