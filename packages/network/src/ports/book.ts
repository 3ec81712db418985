import type { PortMap } from '@skep/containers';
import { Code, errorMessage, hasErrno, type Random, RpcError, randomBelow } from '@skep/platform';
import {
  BINDINGS_PER_SANDBOX_MAX,
  EPHEMERAL_ATTEMPTS_MAX,
  EPHEMERAL_PORT_MAX,
  EPHEMERAL_PORT_MIN,
} from '../limits.js';
import { ANY_ADDRESS, type Binding } from '../rules/host-table.js';
import type { HeldPort, PortHolder } from './holder.js';
import { type PortWish, parsePortMap } from './port-map.js';

/** Ports bound for one container, in the kernel's terms and in Docker's. */
export interface BoundPorts {
  bindings: Binding[];
  ports: PortMap;
}

interface Entry {
  binding: Binding;
  held: HeldPort | undefined;
}

/** The words of the system for a bind that failed, as Go prints them. */
const BIND_ERRORS: Record<string, string> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
};

/** Which ports of the host belong to which container. */
export class PortBook {
  readonly #holder: PortHolder;
  readonly #random: Random;
  readonly #entries = new Map<string, Entry[]>();
  /** protocol and port → who has it, on which addresses; taken before the system is asked. */
  readonly #claims = new Map<string, Binding[]>();

  constructor(options: { holder: PortHolder; random: Random }) {
    this.#holder = options.holder;
    this.#random = options.random;
  }

  /**
   * Binds the ports a container asks for, all or none. `endpoint` names it in errors, which have
   * Docker's words.
   */
  async bind(
    containerId: string,
    endpoint: string,
    address: string,
    wanted: PortMap,
  ): Promise<BoundPorts> {
    const { wishes, ports } = parsePortMap(wanted);
    if (wishes.length > BINDINGS_PER_SANDBOX_MAX) {
      throw new RpcError(Code.INVALID_ARGUMENT, `too many published ports: ${wishes.length}`);
    }
    const entries: Entry[] = [];
    this.#entries.set(containerId, entries);
    try {
      for (const wish of wishes) entries.push(await this.#bindOne(wish, address));
    } catch (error) {
      this.release(containerId);
      const reason = errorMessage(error);
      const what = `driver failed programming external connectivity on endpoint ${endpoint}`;
      throw new RpcError(Code.INTERNAL, `${what}: ${reason}`, { cause: error });
    }
    for (const { binding } of entries) {
      const key = `${binding.containerPort}/${binding.protocol}`;
      const shown = { HostIp: binding.hostIp, HostPort: String(binding.hostPort) };
      ports[key] = [...(ports[key] ?? []), shown];
    }
    return { bindings: entries.map(({ binding }) => binding), ports };
  }

  /**
   * Takes over bindings that stand since before a restart; resolves those whose port could not be
   * held.
   */
  async adopt(containerId: string, bindings: readonly Binding[]): Promise<Binding[]> {
    const lost: Binding[] = [];
    const entries: Entry[] = [];
    for (const binding of bindings) {
      const { protocol, hostIp, hostPort } = binding;
      let held: HeldPort | undefined;
      try {
        held = await this.#holder.hold(protocol, hostIp, hostPort);
      } catch {
        lost.push(binding);
      }
      this.#claim(binding);
      entries.push({ binding, held });
    }
    this.#entries.set(containerId, entries);
    return lost;
  }

  release(containerId: string): void {
    for (const { binding, held } of this.#entries.get(containerId) ?? []) {
      held?.release();
      this.#unclaim(binding);
    }
    this.#entries.delete(containerId);
  }

  bindings(): Binding[] {
    return [...this.#entries.values()].flat().map(({ binding }) => binding);
  }

  releaseAll(): void {
    for (const containerId of [...this.#entries.keys()]) this.release(containerId);
  }

  async #bindOne(wish: PortWish, address: string): Promise<Entry> {
    const { protocol, hostIp, containerPort } = wish;
    let refusal: unknown = new Error('no free port in the range');
    for (const hostPort of this.#candidates(wish)) {
      try {
        const binding = { protocol, hostIp, hostPort, address, containerPort };
        return { binding, held: await this.#hold(binding) };
      } catch (error) {
        refusal = error;
      }
    }
    throw refusal;
  }

  /** The port that was asked for, each of a range, or random ones of the system's free range. */
  *#candidates(wish: PortWish): Generator<number> {
    const { firstPort, lastPort } = wish;
    if (firstPort > 0) {
      for (let port = firstPort; port <= lastPort; port++) yield port;
      return;
    }
    const span = EPHEMERAL_PORT_MAX - EPHEMERAL_PORT_MIN + 1;
    const start = randomBelow(this.#random, span);
    for (let attempt = 0; attempt < EPHEMERAL_ATTEMPTS_MAX; attempt++) {
      yield EPHEMERAL_PORT_MIN + ((start + attempt) % span);
    }
  }

  async #hold(binding: Binding): Promise<HeldPort> {
    const { protocol, hostIp, hostPort } = binding;
    if (this.#claimants(binding).some((other) => clashes(other, binding))) {
      throw new Error(`Bind for ${hostIp}:${hostPort} failed: port is already allocated`);
    }
    this.#claim(binding);
    try {
      return await this.#holder.hold(protocol, hostIp, hostPort);
    } catch (error) {
      this.#unclaim(binding);
      const code = Object.keys(BIND_ERRORS).find((name) => hasErrno(error, name));
      const reason = code ? BIND_ERRORS[code] : errorMessage(error);
      const listener = `listen ${protocol}4 ${hostIp}:${hostPort}: bind: ${reason}`;
      throw new Error(`Error starting userland proxy: ${listener}`, { cause: error });
    }
  }

  #claimants(binding: Binding): Binding[] {
    return this.#claims.get(claimKey(binding)) ?? [];
  }

  #claim(binding: Binding): void {
    this.#claims.set(claimKey(binding), [...this.#claimants(binding), binding]);
  }

  #unclaim(binding: Binding): void {
    const others = this.#claimants(binding).filter((other) => other !== binding);
    if (others.length > 0) this.#claims.set(claimKey(binding), others);
    else this.#claims.delete(claimKey(binding));
  }
}

function claimKey(binding: Binding): string {
  return `${binding.protocol} ${binding.hostPort}`;
}

/** Whether two bindings of one protocol and port meet on an address. */
function clashes(one: Binding, other: Binding): boolean {
  return [one.hostIp, other.hostIp].includes(ANY_ADDRESS) || one.hostIp === other.hostIp;
}
