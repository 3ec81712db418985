import { Code, RpcError } from '@skep/platform';
import { hostOf } from './metadata.js';

const PORT_MAX = 65_535;

/** The parts of `host:port` or `[host]:port`. Throws INVALID_ARGUMENT for anything else. */
export function splitAddress(address: string): { host: string; port: number } {
  const host = hostOf(address);
  const digits = address.slice(address.lastIndexOf(':') + 1);
  const port = Number(digits);
  if (host === '' || host === address || !/^\d+$/.test(digits) || port > PORT_MAX) {
    throw new RpcError(Code.INVALID_ARGUMENT, `invalid address ${address}: host:port is needed`);
  }
  return { host, port };
}

/** `host:port`, an IPv6 host in brackets. */
export function joinAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
