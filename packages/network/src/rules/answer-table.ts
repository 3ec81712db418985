import { ASKER_SECONDS, ASKERS_PER_CONTAINER_MAX } from '../limits.js';
import type { TableLayout } from './nft.js';

/** address . port of a client . port it asked, of datagrams that came by the mesh. */
const ASKERS = 'askers';

/**
 * The rules of a container behind the mesh. A program that answers a datagram seldom says from which
 * of its addresses, and the kernel would take that of the way out to the client: the answer would
 * leave there, under an address that the client never asked. So whoever asked by the mesh is
 * remembered, and answers get the address that was asked, which also routes them back.
 *
 * @param link The container's in the ingress network.
 * @param address Its address there, without prefix length.
 */
export function answerTable({ link, address }: { link: string; address: string }): TableLayout {
  const limits = `timeout ${ASKER_SECONDS}s; size ${ASKERS_PER_CONTAINER_MAX};`;
  const asker = 'ip saddr . udp sport . udp dport';
  const answered = 'ip daddr . udp dport . udp sport';
  return {
    sets: {
      [ASKERS]: {
        kind: 'set',
        declaration: `type ipv4_addr . inet_service . inet_service; flags dynamic; ${limits}`,
      },
    },
    chains: {
      asked: [
        'type filter hook input priority filter; policy accept;',
        `iifname "${link}" ip daddr ${address} update @${ASKERS} { ${asker} }`,
      ],
      // Before conntrack (-200), which then knows the answer for one.
      answered: [
        'type route hook output priority raw; policy accept;',
        `meta l4proto udp ip saddr != { 127.0.0.0/8, ${address} } ${answered} @${ASKERS} ` +
          `ip saddr set ${address}`,
      ],
    },
  };
}
