import { ANY_ADDRESS } from '../rules/host-table.js';
import type { HeldPort, PortHolder } from './holder.js';

/** Ports in memory. `occupy` plays another program of the host. */
export class SimPortHolder implements PortHolder {
  readonly held = new Set<string>();
  readonly #foreign = new Set<string>();

  occupy(protocol: string, port: number): void {
    this.#foreign.add(`${protocol} ${port}`);
  }

  leave(protocol: string, port: number): void {
    this.#foreign.delete(`${protocol} ${port}`);
  }

  async hold(protocol: string, hostIp: string, port: number): Promise<HeldPort> {
    const key = `${protocol} ${port} ${hostIp}`;
    const taken = [...this.held].some((other) => {
      const [otherProtocol, otherPort, otherIp] = other.split(' ');
      if (otherProtocol !== protocol || Number(otherPort) !== port) return false;
      return otherIp === hostIp || otherIp === ANY_ADDRESS || hostIp === ANY_ADDRESS;
    });
    if (taken || this.#foreign.has(`${protocol} ${port}`)) {
      throw Object.assign(new Error('address in use'), { code: 'EADDRINUSE' });
    }
    this.held.add(key);
    return { release: () => void this.held.delete(key) };
  }
}
