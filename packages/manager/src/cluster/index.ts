export * from './bootstrap.js';
export * from './defaults.js';
