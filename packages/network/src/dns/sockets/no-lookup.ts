/** Addresses are never names here; asked the usual way, each datagram would wait a turn. */
export function noLookup(
  address: string,
  _options: unknown,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, address, address.includes(':') ? 6 : 4);
}
