export * from './draw.js';
export * from './fates.js';
export * from './served.js';
export * from './spec.js';
