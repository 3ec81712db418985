/**
 * Reads the kernel's listings of TCP sockets, `/proc/net/tcp` and `tcp6` (proc(5)): a line each, with
 * `sl local_address rem_address st …`, addresses as hexadecimal words and `:port`.
 */

const LISTEN = '0A';
/** `127.…`, also within an IPv6 address, and `::1`: words are as the processor has them in memory. */
const LOOPBACK = /^(?:0{16}FFFF0000)?[0-9A-F]{6}7F$|^0{24}01000000$/;
/**
 * Established, a request that is being accepted, and halves that one side has closed: something may
 * still be on its way.
 */
const UNDER_WAY = new Set(['01', '03', '04', '08']);

interface Socket {
  localAddress: string;
  localPort: string;
  remoteAddress: string;
  state: string;
}

function* sockets(listing: string): Generator<Socket> {
  for (const line of listing.split('\n').slice(1)) {
    const [, local = '', remote = '', state = ''] = line.trim().split(/\s+/);
    const [localAddress = '', localPort = ''] = local.split(':');
    const [remoteAddress = ''] = remote.split(':');
    yield { localAddress, localPort, remoteAddress, state };
  }
}

/** Connections from elsewhere to ports that are listened on. */
export function countInbound(listings: readonly string[]): number {
  const all = listings.flatMap((listing) => [...sockets(listing)]);
  const listening = new Set(
    all.filter(({ state }) => state === LISTEN).map(({ localPort }) => localPort),
  );
  return all.filter(
    ({ localAddress, localPort, remoteAddress, state }) =>
      UNDER_WAY.has(state) && listening.has(localPort) && localAddress !== remoteAddress,
  ).length;
}

/** Ports that are listened on where others can reach them. */
export function portsListenedOn(listings: readonly string[]): number[] {
  return listings
    .flatMap((listing) => [...sockets(listing)])
    .filter(({ localAddress, state }) => state === LISTEN && !LOOPBACK.test(localAddress))
    .map(({ localPort }) => Number.parseInt(localPort, 16));
}
