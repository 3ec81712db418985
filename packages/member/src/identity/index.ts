export * from './conversation.js';
export * from './enrol.js';
export { IdentityError } from './errors.js';
export * from './node-identity-store.js';
export * from './renewer.js';
export * from './unlock-key.js';
