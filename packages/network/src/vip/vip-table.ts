import { type Pick, pickChain, pickRule, pickRules } from '../balance/pick.js';
import { BalanceSet } from '../balance/sets.js';
import type { TableLayout } from '../rules/nft.js';

/** The chain through which the container's own packets leave. */
const OUTPUT = 'output';

/** All protocols are translated, so ports stay as they are. */
export const VIP_TRANSLATION = `dnat ip to ip daddr . meta mark map @${BalanceSet.BACKENDS}`;

/**
 * The table of a container that can reach virtual IPs: what it sends to one goes to a backend's
 * address. Translated where it starts, so that backends see who asks, and there is no hop between.
 */
export function vipTable(picks: Iterable<Pick>): TableLayout {
  const chains = [...picks].map(
    (pick) => [pickChain(pick), pickRules(pick, VIP_TRANSLATION)] as const,
  );
  return {
    sets: {
      [BalanceSet.BACKENDS]: { kind: 'map', declaration: 'type ipv4_addr . mark : ipv4_addr;' },
      [BalanceSet.SERVICES]: { kind: 'map', declaration: 'type ipv4_addr : mark;' },
      [BalanceSet.PICKS]: { kind: 'map', declaration: 'type mark : verdict;' },
    },
    chains: {
      ...Object.fromEntries(chains),
      [OUTPUT]: ['type nat hook output priority -100; policy accept;', pickRule('ip daddr')],
    },
  };
}
