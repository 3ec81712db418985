import type { TableLayout } from '../rules/nft.js';
import { IPSEC_MARK } from './security-plan.js';

/** Sets the mark of VXLAN packets that must take the encrypted way ("skep", as bytes). */
export const ENCRYPTED_MARK = 0x736b_6570;
/** Routing table of the encrypted way, and where the rule for it stands among the host's. */
export const ENCRYPTED_TABLE = 7_370;
export const ENCRYPTED_RULE_PRIORITY = 737;

/** Place of the network identifier in a VXLAN packet, bits from the UDP header on (RFC 7348, 5). */
const VNI_BITS = '@th,96,24';

/**
 * The host's rules for encrypted networks, in a table of their own that is replaced whole. Datagrams of
 * these networks are sent to the encrypted way, and dropped wherever else they come from or would leave:
 * in chains of ours alone, so no other program's rule can let them through. Those from and to nodes of
 * IPsec pass as long as it has unsealed them, or will seal them.
 */
export function encryptionTable(options: {
  vnis: readonly number[];
  vxlanPort: number;
  /** The link that encrypts. */
  link: string;
  /** IPv4 addresses of nodes that IPsec leads to. */
  ipsecPeers: readonly string[];
}): TableLayout {
  const { vnis, vxlanPort, link, ipsecPeers } = options;
  const match = `udp dport ${vxlanPort} ${VNI_BITS} { ${vnis.join(', ')} }`;
  const addresses = `{ ${ipsecPeers.join(', ')} }`;
  const forPeers = (rule: string) => (ipsecPeers.length > 0 ? [rule] : []);
  return {
    sets: {},
    chains: {
      arriving: [
        'type filter hook prerouting priority raw; policy accept;',
        ...forPeers(`ip saddr ${addresses} meta secpath exists ${match} accept`),
        `iifname != "${link}" ${match} drop`,
      ],
      sending: [
        'type route hook output priority mangle; policy accept;',
        ...forPeers(`ip daddr ${addresses} ${match} meta mark set ${IPSEC_MARK} accept`),
        `${match} meta mark set ${ENCRYPTED_MARK}`,
      ],
      leaving: [
        'type filter hook postrouting priority mangle; policy accept;',
        ...forPeers(`ip daddr ${addresses} rt ipsec exists ${match} accept`),
        `oifname != "${link}" ${match} drop`,
      ],
    },
  };
}
