export * from './bootstrap.js';
export * from './defaults.js';
export { managerUnlockKey } from './unlock-key.js';
