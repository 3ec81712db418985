/** Bytes that are no gossip: garbage, or what a key of another cluster has sealed. */
export class GossipFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'GossipFormatError';
  }
}
