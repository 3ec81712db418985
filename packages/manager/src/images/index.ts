export * from './images.js';
export { SHELF_PORT } from './limits.js';
