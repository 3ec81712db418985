export * from './agent.js';
export * from './executor.js';
export * from './limits.js';
export * from './link.js';
export { isFinal } from './machine.js';
export * from './network-resources.js';
export * from './task-errors.js';
