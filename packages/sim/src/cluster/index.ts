export * from './kind.js';
export * from './run.js';
export * from './scenario.js';
