import type { NameOptions } from '@skep/containers';

/** A container's part in the networks, as whoever serves it inside its namespace sees it. */
export interface AttachedSandbox {
  containerId: string;
  /** Without the slash. */
  name: string;
  /** Path of its network namespace. */
  namespace: string;
  /** The swarm's networks it is on, in the order of its interfaces. Never empty. */
  networks: AttachedNetwork[];
  names: NameOptions;
}

export type { NameOptions };

export interface AttachedNetwork {
  networkId: string;
  networkName: string;
  /** In the container: `eth0`, … */
  link: string;
  /** With prefix length. */
  address: string;
  aliases: string[];
  ingress: boolean;
}

/** Whoever has something in the namespaces of containers: balancing tables, a name server. */
export interface SandboxReader {
  /** For messages. */
  readonly name: string;
  /** Name server to put into `/etc/resolv.conf` of the containers it serves. */
  readonly nameserver?: string;
  /**
   * The container's interfaces are there, its first process is not. Resolves when what it needs is in
   * place; rejects to keep it from starting. Also after a restart of this process, for each container
   * that lives: what is there already is then compared, and put right without a gap.
   */
  added(sandbox: AttachedSandbox): Promise<void>;
  /** It was connected to a network, or taken off one. */
  changed(sandbox: AttachedSandbox): Promise<void>;
  /** Its namespace is gone, or about to be. */
  removed(containerId: string): Promise<void>;
}
