export * from './node-info.js';
export * from './place.js';
export * from './scheduler.js';
