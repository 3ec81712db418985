import type { TableLayout } from '../rules/nft.js';
import { EMBEDDED_SERVER } from './forward/servers.js';

/**
 * The rules of a container's own namespace that bring questions to our sockets, which leave port 53
 * to the container. Ports are rewritten packet by packet on the way out, in both directions, and no
 * connection is tracked: a flood fills no table, and a client whose question met no socket (while the
 * daemon starts again) waits and asks again instead of being refused.
 */
export function nameTable(ports: { udpPort: number; tcpPort: number }): TableLayout {
  const rewrite = (protocol: string, port: number) => [
    `ip daddr ${EMBEDDED_SERVER} ${protocol} dport 53 ${protocol} dport set ${port} notrack`,
    `ip saddr ${EMBEDDED_SERVER} ${protocol} sport ${port} ${protocol} sport set 53 notrack`,
  ];
  return {
    sets: {},
    chains: {
      output: [
        'type filter hook output priority raw; policy accept;',
        ...rewrite('udp', ports.udpPort),
        ...rewrite('tcp', ports.tcpPort),
      ],
    },
  };
}
