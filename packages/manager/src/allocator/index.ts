export * from './allocator.js';
