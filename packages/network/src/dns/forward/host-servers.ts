import type { Clock, Disk } from '@skep/platform';
import { HOST_SERVERS_FRESH_MS, RESOLV_CONF_BYTES_MAX } from '../limits.js';
import { serversIn } from './servers.js';

const RESOLV_CONF = '/etc/resolv.conf';

/** Whom the host asks for names, read again now and then: it may change at any time. */
export class HostServers {
  readonly #disk: Disk;
  readonly #clock: Clock;
  #known: { servers: Promise<string[]>; readAtMs: number } | undefined;

  constructor(options: { disk: Disk; clock: Clock }) {
    this.#disk = options.disk;
    this.#clock = options.clock;
  }

  /** Empty when the host has none, or no such file. */
  get(): Promise<string[]> {
    const nowMs = this.#clock.monotonic();
    if (!this.#known || nowMs - this.#known.readAtMs >= HOST_SERVERS_FRESH_MS) {
      this.#known = { servers: this.#read(), readAtMs: nowMs };
    }
    return this.#known.servers;
  }

  async #read(): Promise<string[]> {
    try {
      const file = await this.#disk.readFile(RESOLV_CONF);
      return serversIn(new TextDecoder().decode(file.subarray(0, RESOLV_CONF_BYTES_MAX)));
    } catch {
      return []; // as resolvers do where there is no such file
    }
  }
}
