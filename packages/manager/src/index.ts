export * from './constraint/index.js';
export * from './contract.js';
export * from './allocator/index.js';
export * from './control/index.js';
export * from './cluster/index.js';
export * from './watch/index.js';
