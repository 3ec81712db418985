/** A key as a manager hands it to its agents. */
export interface NetworkKey {
  subsystem: string;
  key: Uint8Array;
  lamportTime: bigint;
}

const GOSSIP = 'networking:gossip';

/**
 * The keys to gossip with, the one to seal with first. That is the second oldest: the newest is on its way
 * to nodes that do not have it yet, the oldest on its way out.
 */
export function gossipKeys(keys: readonly NetworkKey[]): Uint8Array[] {
  const [oldest, primary, ...others] = keys
    .filter(({ subsystem }) => subsystem === GOSSIP)
    .sort((one, other) => (one.lamportTime < other.lamportTime ? -1 : 1))
    .map(({ key }) => key);
  return [primary, oldest, ...others].filter((key) => key !== undefined);
}
