import { create } from '@bufbuild/protobuf';
import { ContainerStatusSchema, NodeDescriptionSchema } from '@skep/wire/swarmkit';

const NANO_CPUS = 64_000_000_000n;
const MEMORY_BYTES = 2n ** 38n;

/** Resolves when the signal aborts: what never ends by itself ends so. */
function forever(signal) {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** A task whose container is no more than its name. */
class HollowTask {
  constructor(task, counts) {
    this.task = task;
    this.counts = counts;
  }

  async update() {}
  async prepare() {}
  async start() {
    this.counts.started++;
  }
  wait({ signal }) {
    return forever(signal);
  }
  async shutdown() {}
  async terminate() {}
  async remove() {}
  async close() {}
  containerStatus() {
    return create(ContainerStatusSchema, { containerId: `hollow-${this.task.id}` });
  }
  portStatus() {
    return undefined;
  }
  async *logs() {}
}

/** An engine without containers: everything asked of it is done at once. */
export class HollowExecutor {
  constructor(hostname, counts) {
    this.hostname = hostname;
    this.counts = counts;
  }

  async describe() {
    return create(NodeDescriptionSchema, {
      hostname: this.hostname,
      platform: { architecture: 'x86_64', os: 'linux' },
      resources: { nanoCpus: NANO_CPUS, memoryBytes: MEMORY_BYTES },
      engine: { engineVersion: '20.10.24' },
    });
  }

  async configure() {}
  async restore() {}

  controller(task) {
    this.counts.assigned++;
    return new HollowTask(task, this.counts);
  }
}
