export * from './identity/index.js';
export type {
  ImageShelf,
  ImageTarget,
  PeerImage,
  ShelfImage,
  SwarmImages,
  SwarmImagesTraffic,
} from './images/index.js';
export type { Manager } from './manager/manager.js';
export * from './membership/membership.js';
export type { NetworksLink, NetworkTablesSink } from './networks/index.js';
export { hostOf } from './node/address.js';
export * from './node/enter.js';
export * from './node/member.js';
export * from './node/requests.js';
export * from './platform.js';
export * from './state/state-file.js';
