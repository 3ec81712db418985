export * from './agent-connector.js';
export * from './channel-link.js';
