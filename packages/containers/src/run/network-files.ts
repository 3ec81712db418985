import { readFileSync, writeFileSync } from 'node:fs';
import type { SandboxState } from '../contract/networking.js';
import type { EngineContext } from '../engine/context.js';
import type { ContainerRecord } from '../records/record.js';

const BASE_HOSTS = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'ff00::0\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];
/** What Docker falls back to when the host's own resolvers cannot be reached from a container. */
export const FALLBACK_NAMESERVERS = ['8.8.8.8', '8.8.4.4'];
const HOST_GATEWAY = 'host-gateway';

/** The files that every container has bound over its own. */
export const NETWORK_FILES = {
  hosts: '/etc/hosts',
  hostname: '/etc/hostname',
  'resolv.conf': '/etc/resolv.conf',
} as const;

/** Writes them, for this start's addresses: each start makes them anew, so that they need not outlive a reboot. */
export function writeNetworkFiles(
  context: EngineContext,
  record: ContainerRecord,
  sandbox: SandboxState | undefined,
): void {
  const write = (name: keyof typeof NETWORK_FILES, text: string) =>
    writeFileSync(context.paths.networkFile(record.id, name), text, { mode: 0o644 });
  const ownNetwork = sandbox !== undefined && sandbox.netnsPath !== '';
  write('hostname', `${record.config.Hostname}\n`);
  write('hosts', hostsFile(record, sandbox, ownNetwork ? undefined : readHost('/etc/hosts')));
  write('resolv.conf', resolvFile(record, sandbox, ownNetwork, readHost('/etc/resolv.conf')));
}

/** Puts a running container's files right after it was put on a network, or taken off one. */
export function updateNetworkFiles(
  context: EngineContext,
  record: ContainerRecord,
  { before, after }: { before: SandboxState; after: SandboxState },
): void {
  const hosts = context.paths.networkFile(record.id, 'hosts');
  // In place: the container has this very file bound over its own.
  writeFileSync(hosts, updatedHosts(readFileSync(hosts, 'utf8'), record, { before, after }));
  // It may have been edited, and there is nothing to change as long as the same servers are asked.
  if (before.nameservers.join() === after.nameservers.join()) return;
  const text = resolvFile(record, after, true, readHost('/etc/resolv.conf'));
  writeFileSync(context.paths.networkFile(record.id, 'resolv.conf'), text);
}

/** The hosts file with the container's own addresses changed, and all else as it is. */
export function updatedHosts(
  text: string,
  record: ContainerRecord,
  { before, after }: { before: SandboxState; after: SandboxState },
): string {
  const [gone, own] = [ownLines(record, before), ownLines(record, after)];
  const kept = text.split('\n').filter((line) => line !== '' && !gone.includes(line));
  return `${[...kept, ...own].join('\n')}\n`;
}

/** Text of /etc/hosts. `hostText`: the host's file, for a container in the host's network. */
export function hostsFile(
  record: ContainerRecord,
  sandbox: SandboxState | undefined,
  hostText: string | undefined,
): string {
  const gateway = sandbox?.hostGateway ?? '127.0.0.1';
  const extra = (record.hostConfig.ExtraHosts ?? []).map((line) => {
    const separator = line.search(/[:=]/);
    const address = line.slice(separator + 1);
    return `${address === HOST_GATEWAY ? gateway : address}\t${line.slice(0, separator)}`;
  });
  const base = hostText === undefined ? BASE_HOSTS : [hostText.trimEnd()];
  return `${[...base, ...extra, ...ownLines(record, sandbox)].join('\n')}\n`;
}

/**
 * A container's own addresses in its hosts file: its full name first, then the first part of it. That
 * of the ingress network comes last: a program that tells its neighbours where it is takes the first.
 */
function ownLines(record: ContainerRecord, sandbox: SandboxState | undefined): string[] {
  const { config, task } = record;
  const fullName = [config.Hostname, config.Domainname].filter(Boolean).join('.');
  const [shortName = ''] = fullName.split('.');
  const names = shortName === fullName ? fullName : `${fullName} ${shortName}`;
  const ingress = task?.endpoints.find((endpoint) => endpoint.ingress)?.networkId;
  const endpoints = Object.values(sandbox?.endpoints ?? {});
  return [
    ...endpoints.filter(({ NetworkID }) => NetworkID !== ingress),
    ...endpoints.filter(({ NetworkID }) => NetworkID === ingress),
  ]
    .flatMap((endpoint) => [endpoint.IPAddress, endpoint.GlobalIPv6Address])
    .filter((address) => address !== '')
    .map((address) => `${address}\t${names}`);
}

/**
 * Text of /etc/resolv.conf: the network's own server (which then asks those that were given), else
 * what was given, else the host's.
 */
export function resolvFile(
  record: ContainerRecord,
  sandbox: SandboxState | undefined,
  ownNetwork: boolean,
  hostText: string,
): string {
  const { Dns, DnsSearch, DnsOptions } = record.hostConfig;
  const lines = hostText.split('\n').map((line) => line.trim().split(/\s+/));
  const values = (keyword: string) =>
    lines.filter(([word]) => word === keyword).flatMap(([, ...rest]) => rest);
  const fromHost = values('nameserver').filter((server) => !ownNetwork || !isLoopback(server));
  const fallback = fromHost.length > 0 || !ownNetwork ? fromHost : FALLBACK_NAMESERVERS;
  const embedded = sandbox?.nameservers ?? [];
  const given = embedded.length > 0 ? embedded : Dns;
  const nameservers = given.length > 0 ? given : fallback;
  const search =
    DnsSearch.length > 0 ? DnsSearch.filter((domain) => domain !== '.') : values('search');
  const wanted = DnsOptions.length > 0 ? DnsOptions : values('options');
  const options = embedded.length > 0 ? withoutDots(wanted, DnsOptions) : wanted;
  return [
    ...nameservers.map((server) => `nameserver ${server}\n`),
    ...(search.length > 0 ? [`search ${search.join(' ')}\n`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}\n`] : []),
  ].join('');
}

/**
 * The network's server is asked for names without a dot before any search domain is tried, unless the
 * container itself wants it otherwise: what the host wants was meant for the host's server.
 */
function withoutDots(options: readonly string[], own: readonly string[]): string[] {
  const isDots = (option: string) => option.startsWith('ndots:');
  return own.some(isDots) ? [...options] : [...options.filter((one) => !isDots(one)), 'ndots:0'];
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function readHost(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // a host without the file gives its containers an empty one
  }
}
