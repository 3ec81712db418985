import { overlaps, parseInterfaceAddress, subnetOf } from '../address/ipv4.js';
import type { BaseChainView, NamespaceView } from '../kernel/contract.js';
import type { Names } from '../names.js';
import { isOfFirewalld, isOfIptables, type KnownFirewall } from './firewall/passage.js';

/** What is ours on this host, and what does not change. */
export interface Surroundings {
  subnets: { bridge: string; gateway: string; link: string };
  names: Names;
  /** Value of net.bridge.bridge-nf-call-iptables. */
  bridgeFilter: string | undefined;
}

/**
 * What on this host stands in the way of containers' packets. Everything here is somebody else's.
 */
export interface HostFindings extends Surroundings {
  chains: readonly BaseChainView[];
  host: NamespaceView;
  /** Through which there is no way. */
  closed: ReadonlySet<KnownFirewall>;
}

/** Sentences for the log and for `docker info`. */
export function hostWarnings(findings: HostFindings): string[] {
  return [...forwardWarnings(findings), ...overlapWarnings(findings)];
}

function forwardWarnings({ names, chains, bridgeFilter, closed }: HostFindings): string[] {
  const all = [names.bridge, names.gatewayBridge, names.ingressLink];
  const links = `${names.bridge}, ${names.gatewayBridge} and ${names.ingressLink}`;
  const also = bridgeFilter === '1' ? ', and between containers of one bridge' : '';
  const drops = (chain: string) =>
    `the firewall's chain ${chain} drops forwarded packets: containers have no way out and ` +
    `published ports do not answer${also}, unless it accepts ${links}`;
  const unknown = chains.filter(
    (chain) =>
      chain.hook === 'forward' &&
      chain.policy === 'drop' &&
      ['ip', 'inet'].includes(chain.family) &&
      !isOfIptables(chain) &&
      !isOfFirewalld(chain) &&
      !(chain.family === 'ip' && chain.table === names.table),
  );
  const set = `'{ ${all.join(', ')} }'`;
  const warnings = unknown.map(({ family, table, chain }) => {
    const insert = `nft insert rule ${family} ${table} ${chain}`;
    const rules = ['iifname', 'oifname'].map((key) => `${insert} ${key} ${set} accept`);
    return `${drops(`${family} ${table} ${chain}`)} (${rules.join('; ')})`;
  });
  const add = ['-i', '-o'].map((key) => `iptables -I FORWARD ${key} LINK -j ACCEPT`).join('; ');
  if (closed.has('iptables-nft')) warnings.push(`${drops('ip filter FORWARD')} (${add})`);
  if (closed.has('iptables-legacy'))
    warnings.push(`${drops('FORWARD of iptables-legacy')} (${add})`);
  if (closed.has('firewalld')) {
    warnings.push(
      `firewalld rejects what comes from links that are in no zone: ${names.bridge} and ` +
        `${names.gatewayBridge} have to be in one that accepts ` +
        '(firewall-cmd --permanent --zone=trusted --add-interface=LINK)',
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

export interface InputFindings {
  chains: readonly BaseChainView[];
  /** Of VXLAN, and of WireGuard. */
  udpPorts: readonly number[];
}

/** Firewalls that may keep the other nodes of the swarm out. */
export function inputWarnings({ chains, udpPorts }: InputFindings): string[] {
  const isShut = (view: BaseChainView) => view.policy === 'drop' || isOfFirewalld(view);
  return chains
    .filter((view) => view.hook === 'input' && ['ip', 'inet'].includes(view.family) && isShut(view))
    .map(
      ({ family, table, chain }) =>
        `the firewall's chain ${family} ${table} ${chain} keeps out what it does not know: ` +
        'other nodes reach neither this one nor its containers, unless it accepts from them ' +
        `TCP ${CONTROL_PORT} (to managers), TCP and UDP ${GOSSIP_PORT} (gossip), TCP ${IMAGES_PORT} (images), and ` +
        `UDP ${udpPorts.join(' and ')} (overlay networks: VXLAN, and encrypted ones)`,
    );
}

/** Docker's. */
const CONTROL_PORT = 2_377;
const GOSSIP_PORT = 7_946;

/** Where nodes of ours have images from each other. */
const IMAGES_PORT = 7_947;

/** What stands in the way of overlay networks. */
export interface OverlayFindings {
  host: NamespaceView;
  networks: readonly { name: string; subnets: readonly { subnet: string }[] }[];
}

export function overlayWarnings({ host, networks }: OverlayFindings): string[] {
  return networks.flatMap(({ name, subnets }) =>
    subnets.flatMap(({ subnet }) => overlapSentences(name, subnet, host)),
  );
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
