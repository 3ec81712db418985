export * from './contract/config.js';
export * from './contract/engine.js';
export * from './contract/networking.js';
export * from './contract/state.js';
