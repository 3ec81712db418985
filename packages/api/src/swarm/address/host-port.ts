import { isIP } from 'node:net';
import { invalid } from '../errors.js';

const PORT_MAX = 65_535;

/** `host`, `host:port`, `[ip6]:port` or a bare IPv6 address, with the given port where none is written. */
export function splitHostPort(text: string, defaultPort: number): { host: string; port: number } {
  if (isIP(text) === 6) return { host: text, port: defaultPort };
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(text);
  const port = match?.[3] ? Number(match[3]) : defaultPort;
  if (!match || port > PORT_MAX) throw invalid(`could not parse address ${text}`);
  return { host: match[1] ?? match[2] ?? '', port };
}

export function joinHostPort(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
