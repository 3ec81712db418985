export * from './resource-allocator.js';
