export * from './complete.js';
export * from './engine.js';
export * from './host-access.js';
export * from './overlay-options.js';
export * from './service-labels.js';
export * from './task-names.js';
export * from './time.js';
