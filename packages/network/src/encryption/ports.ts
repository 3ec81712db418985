/** UDP, where each node's WireGuard listens: beside gossip's port, for one more line in a firewall. */
export const WIREGUARD_PORT = 7_947;
/** UDP, of VXLAN where the swarm has no other (RFC 7348, 8). */
export const VXLAN_PORT_DEFAULT = 4_789;
