import type { Container } from '../engine/container.js';
import type { EngineContext } from '../engine/context.js';
import { isoTime, ZERO_TIME } from '../records/record.js';
import { type ResourceSample, sampleResources } from './sample.js';

interface Taken {
  read: string;
  cpu: ResourceSample['cpu'];
}

/** Docker's stats JSON. Remembers the sample before, which clients need to tell a rate. */
export class Stats {
  readonly #context: EngineContext;
  readonly #last = new WeakMap<Container, Taken>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** One sample; `precpu_stats` is the one before, empty at the first. */
  async sample(container: Container): Promise<Record<string, unknown>> {
    const { record } = container;
    const read = isoTime(this.#context.clock.now());
    const identity = { id: record.id, name: `/${record.name}`, read };
    if (!container.running) {
      this.#last.delete(container);
      return { ...identity, preread: ZERO_TIME, ...emptySample() };
    }
    const sample = sampleResources(record.id, this.#context.host);
    const networks = await this.#context.networking.counters(record.id);
    const before = this.#last.get(container);
    this.#last.set(container, { read, cpu: sample.cpu });
    return {
      ...identity,
      preread: before?.read ?? ZERO_TIME,
      pids_stats: sample.pids,
      blkio_stats: { io_service_bytes_recursive: sample.blocks },
      num_procs: 0,
      storage_stats: {},
      cpu_stats: sample.cpu,
      precpu_stats: before?.cpu ?? emptyCpu(),
      memory_stats: sample.memory,
      networks,
    };
  }
}

function emptyCpu() {
  return {
    cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
    throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
  };
}

function emptySample() {
  return {
    pids_stats: {},
    blkio_stats: { io_service_bytes_recursive: null },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: emptyCpu(),
    precpu_stats: emptyCpu(),
    memory_stats: {},
  };
}
