export * from './asker.js';
export * from './configs.js';
export * from './draw.js';
export * from './fates.js';
export * from './requests.js';
export * from './served.js';
export * from './spec.js';
