export * from './server/errors.js';
export * from './server/hijack.js';
export * from './server/server.js';
export * from './swarm/errors.js';
export * from './swarm/node.js';
