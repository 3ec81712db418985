import { BalanceSet } from './sets.js';

/** How one of several backends is chosen for a new flow: by chance, or by the client's address. */
export type Choice = 'random' | 'client';

/** The choice of one backend among so many; all services that have it in common share a chain. */
export interface Pick {
  /** 0: nobody is there, and clients are told so at once. */
  count: number;
  choice: Choice;
}

/** The same on every node and after every restart, or clients would change their backend. */
const SEED = '0x736b6570';

const DRAW: Record<Choice, (count: number) => string> = {
  random: (count) => `numgen random mod ${count}`,
  client: (count) => `jhash ip saddr mod ${count} seed ${SEED}`,
};

/** Of those by the client's address, so that each pick has a number of its own. */
const CLIENT_PICKS = 1 << 16;

/** What leads to the pick in the kernel's maps, as nft's JSON has it: marks are decimal there. */
export function pickMark({ count, choice }: Pick): string {
  return String(count > 0 && choice === 'client' ? CLIENT_PICKS + count : count);
}

export function pickChain({ count, choice }: Pick): string {
  if (count === 0) return 'refuse';
  return choice === 'client' ? `keep_${count}` : `pick_${count}`;
}

/**
 * Sends what is for a key to the chain that picks among its backends, by way of the mark; what is
 * for no key goes on, its mark untouched.
 */
export function pickRule(key: string): string {
  return `meta mark set ${key} map @${BalanceSet.SERVICES} meta mark vmap @${BalanceSet.PICKS}`;
}

/**
 * The rules of a pick's chain. `translation` looks the slot in the mark up, and translates; the mark
 * does nothing else, and does not leave the namespace.
 */
export function pickRules({ count, choice }: Pick, translation: string): string[] {
  if (count === 0) {
    return [
      'meta l4proto tcp reject with tcp reset',
      'meta l4proto icmp reject with icmp host-unreachable',
      'reject with icmp port-unreachable',
    ];
  }
  return [`meta mark set ${DRAW[choice](count)}`, translation];
}
