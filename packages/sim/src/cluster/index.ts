export * from './run.js';
export * from './scenario.js';
