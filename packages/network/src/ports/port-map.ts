import type { PortMap } from '@skep/containers';
import { Code, RpcError } from '@skep/platform';
import { parseAddress } from '../address/ipv4.js';
import { ANY_ADDRESS } from '../rules/host-table.js';

/** One port of a container, and where on the host it should be. */
export interface PortWish {
  protocol: 'tcp' | 'udp' | 'sctp';
  containerPort: number;
  hostIp: string;
  /** 0: any free one. Otherwise any of `firstPort` … `lastPort`. */
  firstPort: number;
  lastPort: number;
}

const CONTAINER_PORT = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/;
const HOST_PORT = /^(\d{1,5})(?:-(\d{1,5}))?$/;
const PORT_MAX = 65_535;

function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}

function parseHostPort(text: string): { firstPort: number; lastPort: number } {
  if (text === '') return { firstPort: 0, lastPort: 0 };
  const match = HOST_PORT.exec(text);
  const firstPort = Number(match?.[1]);
  const lastPort = Number(match?.[2] ?? match?.[1]);
  if (!match || firstPort > lastPort || lastPort > PORT_MAX) {
    throw invalid(`invalid port specification: "${text}"`);
  }
  return { firstPort, lastPort };
}

function parseHostIp(text: string): string {
  if (text === '' || text === ANY_ADDRESS) return ANY_ADDRESS;
  if (text.includes(':')) {
    throw invalid(`published ports are not served on IPv6 addresses of the host: ${text}`);
  }
  if (parseAddress(text) === undefined) throw invalid(`invalid IP address: ${text}`);
  return text;
}

/**
 * Splits Docker's port map into single wishes, and gives back what is exposed but bound nowhere.
 */
export function parsePortMap(wanted: PortMap): { wishes: PortWish[]; ports: PortMap } {
  const wishes: PortWish[] = [];
  const ports: PortMap = {};
  for (const [key, bindings] of Object.entries(wanted)) {
    const match = CONTAINER_PORT.exec(key);
    const containerPort = Number(match?.[1]);
    if (!match || containerPort < 1 || containerPort > PORT_MAX) {
      throw invalid(`invalid port specification: "${key}"`);
    }
    const protocol = (match[2] ?? 'tcp') as PortWish['protocol'];
    if (!bindings || bindings.length === 0) ports[`${containerPort}/${protocol}`] = null;
    for (const binding of bindings ?? []) {
      const hostIp = parseHostIp(binding.HostIp ?? '');
      wishes.push({ protocol, containerPort, hostIp, ...parseHostPort(binding.HostPort ?? '') });
    }
  }
  return { wishes, ports };
}
