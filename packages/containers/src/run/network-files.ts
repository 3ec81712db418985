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

/** Writes them into the record's directory, for this start's addresses. */
export function writeNetworkFiles(
  context: EngineContext,
  record: ContainerRecord,
  sandbox: SandboxState | undefined,
): void {
  const write = (name: keyof typeof NETWORK_FILES, text: string) =>
    writeFileSync(context.paths.record(record.id, name), text, { mode: 0o644 });
  const ownNetwork = sandbox !== undefined && sandbox.netnsPath !== '';
  write('hostname', `${record.config.Hostname}\n`);
  write('hosts', hostsFile(record, sandbox, ownNetwork ? undefined : readHost('/etc/hosts')));
  write('resolv.conf', resolvFile(record, sandbox, ownNetwork, readHost('/etc/resolv.conf')));
}

/** Text of /etc/hosts. `hostText`: the host's file, for a container in the host's network. */
export function hostsFile(
  record: ContainerRecord,
  sandbox: SandboxState | undefined,
  hostText: string | undefined,
): string {
  const endpoints = Object.values(sandbox?.endpoints ?? {});
  const gateway = endpoints.find((endpoint) => endpoint.Gateway !== '')?.Gateway ?? '127.0.0.1';
  const extra = (record.hostConfig.ExtraHosts ?? []).map((line) => {
    const separator = line.search(/[:=]/);
    const address = line.slice(separator + 1);
    return `${address === HOST_GATEWAY ? gateway : address}\t${line.slice(0, separator)}`;
  });
  const { Hostname, Domainname } = record.config;
  const names = Domainname ? `${Hostname}.${Domainname} ${Hostname}` : Hostname;
  const own = endpoints
    .flatMap((endpoint) => [endpoint.IPAddress, endpoint.GlobalIPv6Address])
    .filter((address) => address !== '')
    .map((address) => `${address}\t${names}`);
  const base = hostText === undefined ? BASE_HOSTS : [hostText.trimEnd()];
  return `${[...base, ...extra, ...own].join('\n')}\n`;
}

/** Text of /etc/resolv.conf: what was asked for, else the network's servers, else the host's. */
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
  const given = sandbox?.nameservers.length ? sandbox.nameservers : Dns;
  const nameservers = given.length > 0 ? given : fallback;
  const search =
    DnsSearch.length > 0 ? DnsSearch.filter((domain) => domain !== '.') : values('search');
  const options = DnsOptions.length > 0 ? DnsOptions : values('options');
  return [
    ...nameservers.map((server) => `nameserver ${server}\n`),
    ...(search.length > 0 ? [`search ${search.join(' ')}\n`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}\n`] : []),
  ].join('');
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
