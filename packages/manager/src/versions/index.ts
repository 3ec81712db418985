export { VersionKeeper } from './keeper.js';
