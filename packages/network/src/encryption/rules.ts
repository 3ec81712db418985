import type { TableLayout } from '../rules/nft.js';

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
 * in chains of ours alone, so no other program's rule can let them through.
 */
export function encryptionTable(options: {
  vnis: readonly number[];
  vxlanPort: number;
  /** The link that encrypts. */
  link: string;
}): TableLayout {
  const { vnis, vxlanPort, link } = options;
  const match = `udp dport ${vxlanPort} ${VNI_BITS} { ${vnis.join(', ')} }`;
  return {
    sets: {},
    chains: {
      arriving: [
        'type filter hook prerouting priority raw; policy accept;',
        `iifname != "${link}" ${match} drop`,
      ],
      sending: [
        'type route hook output priority mangle; policy accept;',
        `${match} meta mark set ${ENCRYPTED_MARK}`,
      ],
      leaving: [
        'type filter hook postrouting priority mangle; policy accept;',
        `oifname != "${link}" ${match} drop`,
      ],
    },
  };
}
