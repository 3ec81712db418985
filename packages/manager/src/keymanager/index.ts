export { KeyManager } from './key-manager.js';
