import { type Clock, Code, RpcError } from '@skep/platform';
import type { EventListener, EventsApi } from '../containerd.js';
import type {
  ContainerdEvent,
  ContainerRecord,
  ContentInfo,
  ImageRecord,
  LeaseRecord,
  LeaseResource,
  SnapshotInfo,
} from '../types.js';
import type { SimProcess } from './tasks.js';

const NANOS_PER_MS = 1_000_000;

type Untimed<E> = E extends unknown ? Omit<E, 'timeNs'> : never;

/** What a simulated containerd holds; its APIs are views on this. */
export class SimWorld implements EventsApi {
  readonly clock: Clock;
  readonly containers = new Map<string, ContainerRecord>();
  /** By container id, then exec id (empty for the first process). */
  readonly tasks = new Map<string, Map<string, SimProcess>>();
  readonly snapshots = new Map<string, SnapshotInfo & { layers: string[] }>();
  readonly content = new Map<string, ContentInfo & { data: Buffer }>();
  readonly ingests = new Map<string, { data: Buffer; total: number; expected: string }>();
  readonly openIngests = new Set<string>();
  readonly images = new Map<string, ImageRecord>();
  readonly leases = new Map<string, LeaseRecord & { resources: LeaseResource[] }>();
  /** Runs before the work of every call: the place for what happens at the worst moment. */
  beforeCall: (() => void) | undefined;
  readonly #listeners = new Set<EventListener>();
  #connected = true;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get connected(): boolean {
    return this.#connected;
  }

  nowNs(): bigint {
    return BigInt(Math.round(this.clock.now() * NANOS_PER_MS));
  }

  /**
   * Every call passes here: one turn of the event loop, as over a socket, and none while it is
   * down.
   */
  async call<T>(work: () => T | Promise<T>): Promise<T> {
    await Promise.resolve();
    if (!this.#connected) throw new RpcError(Code.UNAVAILABLE, 'containerd cannot be reached');
    this.beforeCall?.();
    return work();
  }

  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    if (this.#connected) listener.onResync?.();
    return () => void this.#listeners.delete(listener);
  }

  emit(event: Untimed<ContainerdEvent>): void {
    if (!this.#connected) return; // as from the real one, nobody hears it later
    const timed = { ...event, timeNs: this.nowNs() } as ContainerdEvent;
    for (const listener of [...this.#listeners]) listener.onEvent?.(timed);
  }

  setConnected(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    for (const listener of [...this.#listeners]) {
      if (connected) listener.onResync?.();
      else listener.onDown?.();
    }
  }
}

export function notFound(what: string): RpcError {
  return new RpcError(Code.NOT_FOUND, `${what}: not found`);
}

export function alreadyExists(what: string): RpcError {
  return new RpcError(Code.ALREADY_EXISTS, `${what}: already exists`);
}

/** The value of a key; NOT_FOUND when there is none. */
export function mustGet<T>(map: Map<string, T>, key: string, kind: string): T {
  const value = map.get(key);
  if (value === undefined) throw notFound(`${kind} ${key}`);
  return value;
}

/**
 * containerd's filters, as far as the rooms use them: `labels."k"==v` and `name==v`, one of them
 * enough.
 */
export function matchesFilters(
  record: { labels: Record<string, string>; name?: string },
  filters: readonly string[],
): boolean {
  if (filters.length === 0) return true;
  return filters.some((filter) => {
    const label = /^labels\."([^"]+)"==(.*)$/.exec(filter);
    if (label) return record.labels[label[1] as string] === label[2];
    const name = /^name==(.*)$/.exec(filter);
    if (name) return record.name === name[1];
    throw new RpcError(Code.INVALID_ARGUMENT, `the simulation does not know the filter ${filter}`);
  });
}
