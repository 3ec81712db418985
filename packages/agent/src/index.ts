export * from './executor.js';
export * from './limits.js';
export * from './link.js';
export * from './task-errors.js';
