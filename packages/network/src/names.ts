import { join } from 'node:path';
import { invariant } from '@skep/platform';

/**
 * A link's name has at most 15 bytes; a veth's is prefix, `v`, 7 digits of the sandbox and 2 of the
 * place.
 */
const PREFIX = /^[a-z][a-z0-9]{0,4}$/;
const SANDBOX_DIGITS = 7;

/** The swarm-wide network's namespace, among those of the containers. */
const INGRESS_NAMESPACE = 'ingress';

/** Links within the ingress namespace; nobody else makes any there. */
export const INGRESS_BRIDGE = 'br0';
export const INGRESS_UPLINK = 'host0';

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

  /** The default network `bridge`. */
  get bridge(): string {
    return `${this.prefix}0`;
  }

  /** The way out for containers of swarm networks. */
  get gatewayBridge(): string {
    return `${this.prefix}_gw`;
  }

  /** The host's end of the link to the ingress namespace. */
  get ingressLink(): string {
    return `${this.prefix}_in`;
  }

  get ingressNamespace(): string {
    return join(this.namespaceDirectory, INGRESS_NAMESPACE);
  }

  /** Docker names a sandbox's file by the first 12 digits of its id. */
  namespaceOf(sandboxId: string): string {
    return join(this.namespaceDirectory, sandboxId.slice(0, 12));
  }

  /** The bridge's end of a container's interface; `place` 0 is eth0. */
  vethOf(sandboxId: string, place: number): string {
    return `${this.prefix}v${sandboxId.slice(0, SANDBOX_DIGITS)}${place}`;
  }

  isVeth(link: string): boolean {
    return link.startsWith(`${this.prefix}v`);
  }
}
