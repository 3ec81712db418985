/** One of the swarm's keys for IPsec between nodes. */
export interface IpsecKey {
  /** By which both ends tell keys apart, a u32. */
  tag: number;
  /** AES, 16 bytes. */
  key: Uint8Array;
}

/** The swarm's keys for IPsec. What comes in may be sealed with any of them. */
export interface IpsecKeys {
  all: IpsecKey[];
  /** With which this node seals. */
  primary: IpsecKey;
}

/** A key as a manager hands it to its agents. */
export interface NetworkKey {
  subsystem: string;
  key: Uint8Array;
  lamportTime: bigint;
}

const IPSEC = 'networking:ipsec';
const KEY_BYTES = 16;

/**
 * Of all keys that a manager has told, those for IPsec; undefined when there is none. The second oldest
 * seals: the newest is on its way to nodes that do not have it yet, the oldest on its way out.
 */
export function ipsecKeys(told: readonly NetworkKey[]): IpsecKeys | undefined {
  const all = told
    .filter(({ subsystem, key }) => subsystem === IPSEC && key.length === KEY_BYTES)
    .sort((one, other) => (one.lamportTime < other.lamportTime ? -1 : 1))
    .map(({ key, lamportTime }) => ({ tag: Number(BigInt.asUintN(32, lamportTime)), key }));
  const primary = all[1] ?? all[0];
  return primary && { all, primary };
}
