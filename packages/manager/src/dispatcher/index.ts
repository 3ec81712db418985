export * from './dispatcher.js';
export type { ManagerPeer } from './session-message.js';
