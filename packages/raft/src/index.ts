export * from './contract.js';
export * from './core/contract.js';
export { RaftCore } from './core/core.js';
export * from './errors.js';
export {
  KeyLockedError,
  type KeyWrapping,
  loadKeys,
  noWrapping,
  saveKeys,
  withNewKey,
} from './keys/key-file.js';
export { KeyRing } from './keys/ring.js';
export { ENTRY_PAYLOAD_BYTES_MAX } from './limits.js';
export * from './log/entry.js';
export { type LogBatch, RaftLog, type RaftLogOptions } from './log/log.js';
export * from './membership.js';
export * from './node/contract.js';
export type { Flaw, Flaws } from './node/flaws.js';
export { RaftNode } from './node/raft-node.js';
export { isNotLeader, notLeader } from './node/refusals.js';
export { assemble, SnapshotAssembler, toChunks } from './peers/chunks.js';
export * from './peers/client.js';
export { blankMessage, decodeEnvelope, encodeEnvelope, fromWire, toWire } from './peers/codec.js';
export type * from './peers/contract.js';
export * from './peers/network.sim.js';
export { noPeers } from './peers/no-peers.js';
export { PeerQueues, type PeerQueuesOptions } from './peers/queues.js';
export { decodeContents, encodeContents, type SnapshotContents } from './snapshot/contents.js';
export type { RaftSnapshot } from './snapshot/file.js';
export { SnapshotFiles, type SnapshotFilesOptions } from './snapshot/files.js';
