export * from './equality.js';
export * from './history.js';
export * from './ledger.js';
export * from './linearizability.js';
export * from './model.js';
export * from './tasks.js';
export * from './terms.js';
export * from './watch.js';
