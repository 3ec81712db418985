export * from './machine-clock.js';
export * from './repairs.js';
export * from './streams.js';
export * from './timeline.js';
export * from './trace.js';
export * from './violation.js';
