import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { Code, RpcError } from '@skep/platform';

export type Resolve = (host: string) => Promise<string[]>;

async function systemResolve(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map((entry) => entry.address);
}

const BITS_MAX = { 4: 32, 6: 128 };

/**
 * Which registries may be spoken to without a trusted certificate, or in plain HTTP: those the
 * operator names (`host[:port]` or a network), and this machine itself, as Docker has it.
 */
export class InsecureRegistries {
  readonly #hosts = new Set<string>();
  readonly #networks = new BlockList();
  readonly #resolve: Resolve;

  /** Throws INVALID_ARGUMENT for an entry that is neither. */
  constructor(entries: readonly string[], resolve: Resolve = systemResolve) {
    this.#resolve = resolve;
    this.#networks.addSubnet('127.0.0.0', 8, 'ipv4');
    this.#networks.addSubnet('::1', 128, 'ipv6');
    for (const entry of entries) this.#add(entry);
  }

  #add(entry: string): void {
    const match = /^(.*)\/(\d+)$/.exec(entry);
    const family = isIP(match?.[1] ?? '');
    if (match && (family === 4 || family === 6)) {
      const bits = Number(match[2]);
      if (bits > BITS_MAX[family]) throw invalid(entry);
      this.#networks.addSubnet(match[1] as string, bits, family === 4 ? 'ipv4' : 'ipv6');
      return;
    }
    if (entry === '' || entry.includes('/') || /\s/.test(entry)) throw invalid(entry);
    this.#hosts.add(entry.toLowerCase());
  }

  /** `registry`: `host` or `host:port`. */
  async includes(registry: string): Promise<boolean> {
    const name = registry.toLowerCase();
    const host = name.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    if (this.#hosts.has(name) || host === 'localhost') return true;
    const family = isIP(host);
    if (family !== 0) return this.#contains(host);
    const addresses = await this.#resolve(host).catch(() => []); // the request itself will say it
    return addresses.some((address) => this.#contains(address));
  }

  #contains(address: string): boolean {
    return this.#networks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
}

function invalid(entry: string): RpcError {
  const message = `insecure registry ${entry} is not valid: it must be HOST[:PORT] or a CIDR`;
  return new RpcError(Code.INVALID_ARGUMENT, message);
}
