export * from './attachment/container-attachments.js';
export * from './cleanup/image-janitor.js';
export * from './cleanup/policy.js';
export * from './executor.js';
export type { ImagePeers, PeerImageSource } from './image/route.js';
export * from './limits.js';
export type { NodeFacts } from './node/describe.js';
export * from './node/host.js';
export type * from './node/networks.js';
