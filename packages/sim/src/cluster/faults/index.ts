export * from './contract.js';
export * from './draw.js';
export * from './strike.js';
