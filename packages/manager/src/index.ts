export * from './constraint/index.js';
export * from './contract.js';
