export type * from './contract.js';
export { GossipCorrections } from './corrections.js';
export { GossipPublisher, type GossipPublisherOptions } from './publisher.js';
export { GossipSource, type GossipSourceOptions } from './source.js';
