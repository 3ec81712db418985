import type { PortProtocol } from '../tables/contract.js';

/** A published port as the key of a set or map: protocol . port. */
export function portKey(protocol: PortProtocol, port: number): string {
  return `${protocol} . ${port}`;
}

export function partsOfKey(key: string): { protocol: PortProtocol; port: number } {
  const [protocol, port] = key.split(' . ');
  return { protocol: protocol as PortProtocol, port: Number(port) };
}
