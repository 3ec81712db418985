export * as addresses from './address.js';
export * from './match.js';
export * from './parse.js';
