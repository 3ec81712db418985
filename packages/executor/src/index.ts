export * from './executor.js';
export * from './limits.js';
export type { NodeFacts } from './node/describe.js';
export * from './node/host.js';
export * from './publisher.js';
