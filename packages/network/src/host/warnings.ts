import { readFile } from 'node:fs/promises';
import { overlaps, parseInterfaceAddress, subnetOf } from '../address/ipv4.js';
import type { BaseChainView, NamespaceView } from '../kernel/contract.js';
import type { Names } from '../names.js';

/**
 * What on this host stands in the way of containers' packets. Everything here is somebody else's.
 */
export interface HostFindings {
  chains: readonly BaseChainView[];
  host: NamespaceView;
  subnets: { bridge: string; gateway: string; link: string };
  names: Names;
  /** Value of net.bridge.bridge-nf-call-iptables. */
  bridgeFilter: string | undefined;
  /** Tables of the old iptables in use, which nft does not list. */
  legacyTables: readonly string[];
}

/** Sentences for the log and for `docker info`. */
export function hostWarnings(findings: HostFindings): string[] {
  return [...forwardWarnings(findings), ...overlapWarnings(findings)];
}

function forwardWarnings(findings: HostFindings): string[] {
  const { names, chains, bridgeFilter } = findings;
  const links = `${names.bridge}, ${names.gatewayBridge} and ${names.ingressLink}`;
  const also = bridgeFilter === '1' ? ', and between containers of one bridge' : '';
  const dropping = chains.filter(
    ({ family, table, hook, policy }) =>
      hook === 'forward' &&
      policy === 'drop' &&
      ['ip', 'inet'].includes(family) &&
      !(family === 'ip' && table === names.table),
  );
  const warnings = dropping.map(
    ({ family, table, chain }) =>
      `the firewall's chain ${family} ${table} ${chain} drops forwarded packets by policy: ` +
      `containers have no way out and published ports do not answer${also}, ` +
      `unless it accepts ${links}`,
  );
  // It rejects by a last rule, not by policy.
  if (chains.some(({ table, hook }) => table === 'firewalld' && hook === 'forward')) {
    warnings.push(
      `firewalld rejects what comes from links that are in no zone: ${links} have to be in one that ` +
        'accepts (firewall-cmd --permanent --zone=trusted --add-interface=LINK)',
    );
  }
  if (findings.legacyTables.includes('filter')) {
    warnings.push(
      'legacy iptables filters packets on this host: ' +
        `where its FORWARD policy is DROP, it has to accept ${links}`,
    );
  }
  return warnings;
}

function overlapWarnings(findings: HostFindings): string[] {
  const { names, host, subnets } = findings;
  const ours = new Set([names.bridge, names.gatewayBridge, names.ingressLink]);
  const foreign = host.routes.filter(
    ({ destination, link }) => destination !== 'default' && !ours.has(link),
  );
  return Object.values(subnets).flatMap((subnet) =>
    foreign
      .filter(({ destination }) => overlaps(subnetOf(destination), subnetOf(subnet)))
      .map(
        ({ destination, link }) =>
          `the containers' subnet ${subnet} overlaps this host's route ${destination} by ${link}`,
      ),
  );
}

/** What stands in the way of overlay networks. */
export interface OverlayFindings {
  chains: readonly BaseChainView[];
  host: NamespaceView;
  networks: readonly { name: string; subnets: readonly { subnet: string }[] }[];
  /** Of VXLAN. */
  udpPort: number;
}

export function overlayWarnings(findings: OverlayFindings): string[] {
  const { chains, host, networks, udpPort } = findings;
  if (networks.length === 0) return [];
  const dropping = chains.filter(
    ({ family, hook, policy }) =>
      hook === 'input' && policy === 'drop' && ['ip', 'inet'].includes(family),
  );
  return [
    ...dropping.map(
      ({ family, table, chain }) =>
        `the firewall's chain ${family} ${table} ${chain} drops what comes in by policy: ` +
        'overlay networks reach no container of this node, ' +
        `unless it accepts UDP port ${udpPort} (VXLAN) from the other nodes`,
    ),
    ...networks.flatMap(({ name, subnets }) =>
      subnets.flatMap(({ subnet }) => overlapSentences(name, subnet, host)),
    ),
  ];
}

function overlapSentences(name: string, subnet: string, host: NamespaceView): string[] {
  if (!parseInterfaceAddress(subnet)) return [];
  return host.routes
    .filter(({ destination }) => destination !== 'default')
    .filter(({ destination }) => overlaps(subnetOf(destination), subnetOf(subnet)))
    .map(
      ({ destination, link }) =>
        `subnet ${subnet} of network ${name} overlaps this host's route ${destination} by ${link}, ` +
        'which its containers cannot reach',
    );
}

const LEGACY_TABLES = '/proc/thread-self/net/ip_tables_names';

/** Tables of legacy iptables in this network namespace; none where the kernel has no such thing. */
export async function readLegacyTables(): Promise<string[]> {
  try {
    return (await readFile(LEGACY_TABLES, 'utf8')).split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
