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

export function pickChain({ count, choice }: Pick): string {
  if (count === 0) return 'refuse';
  return choice === 'client' ? `keep_${count}` : `pick_${count}`;
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
