import { isIP, isIPv6 } from 'node:net';
import { FALLBACK_NAMESERVERS } from '@skep/containers';
import { HOST, type NamespacePath } from '../../kernel/contract.js';
import { SERVERS_PER_QUESTION_MAX } from '../limits.js';
import type { NameServer } from '../sockets/contract.js';

/** Where a container reaches its name server. */
export const EMBEDDED_SERVER = '127.0.0.11';

export interface ServerChoice {
  /** The container's own (`--dns`); empty: the host's are asked. */
  given: readonly string[];
  /** Of the host's resolv.conf. */
  host: readonly string[];
  namespace: NamespacePath;
  /** Whether the container has a way out of its networks. */
  hasWayOut: boolean;
}

/**
 * Whom to ask what the networks do not know, and from where. Servers that a container was given are
 * asked from its own namespace, so that one on an internal network can be reached, and none beyond
 * it. Those of the host may be known to the host alone: by loopback, a zone, or IPv6. They are not
 * asked for a container without a way out, which would have one that way (CVE-2024-29018).
 */
export function serversFor(choice: ServerChoice): NameServer[] {
  const { given, host, namespace, hasWayOut } = choice;
  const servers =
    given.length > 0
      ? given
          .filter((address) => isIP(address) !== 0 && address !== EMBEDDED_SERVER)
          .map((address) => ({ address, namespace }))
      : hostServers(host)
          .map((address) => ({ address, namespace: needsHost(address) ? HOST : namespace }))
          .filter((server) => server.namespace !== HOST || hasWayOut);
  return servers.slice(0, SERVERS_PER_QUESTION_MAX);
}

/** The servers in the text of a resolv.conf. */
export function serversIn(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([word, address = '']) =>
      word === 'nameserver' && isIP(address) !== 0 ? [address] : [],
    );
}

function hostServers(host: readonly string[]): readonly string[] {
  return host.length > 0 ? host : FALLBACK_NAMESERVERS;
}

function needsHost(address: string): boolean {
  return address.startsWith('127.') || isIPv6(address);
}
