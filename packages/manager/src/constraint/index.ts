export * from './match.js';
export * from './parse.js';
