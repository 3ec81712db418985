export * from './links.js';
export * from './partitions.js';
