export { VersionKeeper } from './keeper.js';
export { nameOf, versionsOf } from './versions.js';
