import type { PeerTransport } from './contract.js';

/** The transport of a node that has no peers and gets none. */
export const noPeers: PeerTransport = {
  send() {},
  setMembers() {},
  isActive: () => false,
  activeForMs: () => undefined,
  checkHealth: async () => false,
  resolveAddress: async () => undefined,
  async close() {},
};
