export { channelNetworks } from './channel-networks.js';
export type { NetworksLink, NetworkTablesSink } from './contract.js';
export { NetworksFollower } from './follower.js';
export { withNetworks } from './session-networks.js';
