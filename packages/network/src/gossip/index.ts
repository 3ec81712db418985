export type * from './contract.js';
export { GossipPublisher, type GossipPublisherOptions } from './publisher.js';
export { GossipSource, type GossipSourceOptions } from './source.js';
export { GossipedTunnels } from './tunnels.js';
