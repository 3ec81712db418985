/** Messages and records of networkdb, the gossip of Docker's overlay networks. */
export * from './gen/networkdb/endpoint_pb.js';
export * from './gen/networkdb/networkdb_pb.js';
export * from './gen/networkdb/peer_pb.js';
