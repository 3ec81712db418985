/** The other end of a tunnel between two nodes. */
export interface WireGuardPeer {
  nodeId: string;
  /** 32 bytes. */
  publicKey: Uint8Array;
  /** Where its packets go, and the one address it may send from and be sent to. */
  tunnelAddress: string;
  port: number;
}

/** What `wg syncconf` reads: only what differs from the interface's present state is changed. */
export function wireGuardConfig(
  privateKey: Uint8Array,
  listenPort: number,
  peers: readonly WireGuardPeer[],
): string {
  const lines = ['[Interface]', `PrivateKey = ${base64(privateKey)}`, `ListenPort = ${listenPort}`];
  for (const { publicKey, tunnelAddress, port } of peers) {
    lines.push('[Peer]', `PublicKey = ${base64(publicKey)}`);
    lines.push(`Endpoint = ${tunnelAddress}:${port}`, `AllowedIPs = ${tunnelAddress}/32`);
  }
  return `${lines.join('\n')}\n`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
