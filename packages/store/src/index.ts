export * from './change.js';
export * from './contract.js';
export * from './errors.js';
export * from './limits.js';
export * from './proposer.sim.js';
export type { ReadView } from './state.js';
export * from './store.js';
export type { Transaction } from './transaction.js';
