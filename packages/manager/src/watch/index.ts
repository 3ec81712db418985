export * from './limits.js';
export * from './watch-service.js';
