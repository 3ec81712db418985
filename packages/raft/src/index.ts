export * from './contract.js';
export * from './core/contract.js';
export { RaftCore } from './core/core.js';
export * from './errors.js';
export {
  createDataKey,
  KeyLockedError,
  type KeyWrapping,
  loadDataKey,
  noWrapping,
} from './keys/key-file.js';
export { ENTRY_PAYLOAD_BYTES_MAX } from './limits.js';
export * from './log/entry.js';
export { type LogBatch, RaftLog, type RaftLogOptions } from './log/log.js';
export * from './membership.js';
export * from './node/solo-node.js';
export { decodeContents, encodeContents, type SnapshotContents } from './snapshot/contents.js';
export type { RaftSnapshot } from './snapshot/file.js';
export { SnapshotFiles, type SnapshotFilesOptions } from './snapshot/files.js';
