import type { Clock, Random } from '@skep/platform';
import { VerifiedCertificates } from './certificates.js';
import { SimHost } from './host.js';
import { type Delay, SimRoutes } from './routes.js';

export interface SimNetworkOptions {
  /** The world's time. Nodes may have clocks of their own. */
  clock: Clock;
  /** Where delays and the fate of broken connections come from: the same seed, the same run. */
  random: Random;
}

/**
 * A network of simulated hosts, named by IP, with the faults of real ones. It carries what TCP
 * carries: nothing is lost, doubled or reordered within a connection, but it may come late, and
 * connections hang and break.
 */
export class SimNetwork {
  readonly #routes: SimRoutes;
  readonly #certificates = new VerifiedCertificates();
  readonly #hosts = new Map<string, SimHost>();

  constructor({ clock, random }: SimNetworkOptions) {
    this.#routes = new SimRoutes(clock, random);
  }

  /** The host with an IP; it is there from the first time it is asked for. */
  host(address: string): SimHost {
    let host = this.#hosts.get(address);
    if (!host) {
      const find = (ip: string) => this.#hosts.get(ip);
      host = new SimHost(address, { routes: this.#routes, certificates: this.#certificates, find });
      this.#hosts.set(address, host);
    }
    return host;
  }

  /** Nothing gets from one host to another any more; the way back stays as it is. */
  cut(from: string, to: string): void {
    this.#routes.cut({ from, to });
  }

  /** Nothing gets from one group to another; within each, and to hosts in none, all is well. */
  partition(...groups: readonly (readonly string[])[]): void {
    for (const [index, group] of groups.entries()) {
      const others = groups.filter((_, other) => other !== index).flat();
      for (const from of group) for (const to of others) this.cut(from, to);
    }
  }

  /** Each host reaches only its two neighbours in the list, whose ends are neighbours too. */
  ring(addresses: readonly string[]): void {
    const count = addresses.length;
    for (const [index, from] of addresses.entries()) {
      for (const [other, to] of addresses.entries()) {
        const distance = Math.abs(index - other);
        if (distance > 1 && distance < count - 1) this.cut(from, to);
      }
    }
  }

  /**
   * Mends one way, or all. Connections that missed something go on, late, or break: what was sent
   * into a cut may arrive yet.
   */
  heal(from?: string, to?: string): void {
    this.#routes.heal(from !== undefined && to !== undefined ? { from, to } : undefined);
  }

  /** How long segments take, of one way or of all that have no delay of their own. */
  setDelay(delay: Delay, from?: string, to?: string): void {
    this.#routes.setDelay(delay, from !== undefined && to !== undefined ? { from, to } : undefined);
  }

  /** How many segments, 0 … 1, are lost and sent again: they come 200 ms late or more. */
  setLoss(rate: number, from?: string, to?: string): void {
    this.#routes.setLoss(rate, from !== undefined && to !== undefined ? { from, to } : undefined);
  }

  /** The host's process dies: peers find connections reset and calls refused at once. */
  kill(address: string): void {
    this.host(address).kill();
  }

  /** The host loses power: peers hear nothing, and calls hang until their time is up. */
  powerOff(address: string): void {
    this.host(address).powerOff();
  }

  /** The host is there again, with no process that serves. */
  powerOn(address: string): void {
    this.#routes.setHost(address, 'up');
  }

  /** The host's process stands still: what comes in waits. Its clock is the simulator's to stop. */
  pause(address: string): void {
    this.#routes.setHost(address, 'paused');
  }

  resume(address: string): void {
    this.#routes.setHost(address, 'up');
  }
}
