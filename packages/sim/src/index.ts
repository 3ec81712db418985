export * from './checkers/index.js';
export * from './engine/index.js';
export * from './net/index.js';
export * from './raft/index.js';
export * from './run/kind.js';
export * from './run/seed.js';
export * from './run/shrink.js';
