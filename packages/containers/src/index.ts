export * from './containerd/client.js';
export * from './containerd/containerd.js';
export * from './containerd/types.js';
export * from './contract/config.js';
export * from './contract/engine.js';
export * from './contract/networking.js';
export * from './contract/state.js';
