import { join } from 'node:path';
import { invariant } from '@skep/platform';

/**
 * A link's name has at most 15 bytes; a veth's is prefix, `v`, 7 digits of the sandbox and 2 of the
 * place.
 */
const PREFIX = /^[a-z][a-z0-9]{0,4}$/;
const SANDBOX_DIGITS = 7;

/** Docker names a namespace's file by as many digits of an id. */
const ID_DIGITS = 12;
const OVERLAY_PREFIX = 'ov-';

/** Links within an overlay network's namespace, one of each for a subnet; nobody else makes any there. */
export function overlayBridge(subnetPlace: number): string {
  return `br${subnetPlace}`;
}

export function overlayTunnel(subnetPlace: number): string {
  return `vxlan${subnetPlace}`;
}

/** In the namespace of the ingress network: the link to the host. */
export const INGRESS_UPLINK = 'host0';
export const INGRESS_BRIDGE = overlayBridge(0);

/**
 * Everything of ours in a network namespace, by name: what starts with the prefix may be removed
 * without asking, and nothing else ever is.
 */
export class Names {
  readonly prefix: string;
  /** Directory of the named network namespaces. */
  readonly namespaceDirectory: string;

  constructor(options: { prefix: string; execRoot: string }) {
    invariant(
      PREFIX.test(options.prefix),
      'a name prefix of 1 to 5 lower-case characters',
      options,
    );
    this.prefix = options.prefix;
    this.namespaceDirectory = join(options.execRoot, 'netns');
  }

  /** nftables table, on the host and in the ingress namespace. */
  get table(): string {
    return this.prefix;
  }

  /** Chain of ours in others' iptables. */
  get forwardChain(): string {
    return `${this.prefix.toUpperCase()}-FORWARD`;
  }

  /** nftables table on the host that hands published ports to the ingress namespace. */
  get meshTable(): string {
    return `${this.prefix}_mesh`;
  }

  /** nftables table in a container's namespace, for answers to clients of the mesh. */
  get answerTable(): string {
    return `${this.prefix}_in`;
  }

  /** nftables table in a container's namespace, for clients that Docker Engines bring. */
  get directTable(): string {
    return `${this.prefix}_to`;
  }

  /** nftables table in a container's namespace that leads to its name server. */
  get nameTable(): string {
    return `${this.prefix}_dns`;
  }

  /** The default network `bridge`. */
  get bridge(): string {
    return `${this.prefix}0`;
  }

  /** The way out for containers of swarm networks. */
  get gatewayBridge(): string {
    return `${this.prefix}_gw`;
  }

  /** nftables table on the host that keeps clear datagrams out of encrypted networks, and in. */
  get encryptionTable(): string {
    return `${this.prefix}_enc`;
  }

  /** The link that encrypts what goes to other nodes. */
  get encryptedLink(): string {
    return `${this.prefix}_wg`;
  }

  /** The host's end of the link to the ingress namespace. */
  get ingressLink(): string {
    return `${this.prefix}_in`;
  }

  /** The namespace with an overlay network's bridges and tunnels. */
  overlayNamespace(networkId: string): string {
    return join(this.namespaceDirectory, `${OVERLAY_PREFIX}${networkId.slice(0, ID_DIGITS)}`);
  }

  isOverlayNamespace(path: string): boolean {
    return path.startsWith(join(this.namespaceDirectory, OVERLAY_PREFIX));
  }

  namespaceOf(sandboxId: string): string {
    return join(this.namespaceDirectory, sandboxId.slice(0, ID_DIGITS));
  }

  /** The bridge's end of a container's interface; `place` 0 is eth0. */
  vethOf(sandboxId: string, place: number): string {
    return `${this.prefix}v${sandboxId.slice(0, SANDBOX_DIGITS)}${place}`;
  }

  isVethOf(sandboxId: string, link: string): boolean {
    return link.startsWith(`${this.prefix}v${sandboxId.slice(0, SANDBOX_DIGITS)}`);
  }

  isVeth(link: string): boolean {
    return link.startsWith(`${this.prefix}v`);
  }
}
