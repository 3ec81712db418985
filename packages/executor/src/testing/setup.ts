import type { OperationContext, TaskController } from '@skep/agent';
import type { TaskTraffic } from '@skep/network';
import { SimClock, SimDisk, silentLogger } from '@skep/platform';
import type { ConfigObject, SecretObject, TaskObject } from '@skep/wire';
import { ContainerAttachments } from '../attachment/container-attachments.js';
import { ContainerExecutor } from '../executor.js';
import type { NodeFacts } from '../node/describe.js';
import type { NodeNetworking, NodeNetworks } from '../node/networks.js';
import { unlessAborted } from '../waiting.js';
import { FakeEngine } from './fake-engine.js';
import { FakeImages, FakePeers } from './fake-images.js';

export const FACTS: NodeFacts = {
  hostname: 'host1',
  architecture: 'x86_64',
  cpuCount: 2,
  memoryBytes: 4_096,
  engineVersion: '0.1.0',
  labels: { disk: 'ssd' },
  genericResources: [],
  hostAccess: { devices: ['/dev/fuse'], privileged: false },
};

/** Networks that stand as soon as the node has an address in them. */
export class FakeNetworks implements NodeNetworks {
  readonly configured: NodeNetworking[] = [];
  readonly #arrived = new Set<() => void>();

  async configure(networking: NodeNetworking): Promise<void> {
    this.configured.push(networking);
    for (const arrive of this.#arrived) arrive();
  }
  async whenReady(networkId: string, signal: AbortSignal): Promise<void> {
    const isHere = () =>
      this.configured.at(-1)?.attachments.some(({ id }) => id === networkId) ?? false;
    while (!isHere()) {
      await unlessAborted(signal, new Promise<void>((resolve) => this.#arrived.add(resolve)));
    }
  }
}

/** Remembers whom traffic goes to; connections drain when a test says so. */
export class FakeTraffic implements TaskTraffic {
  readonly active = new Map<string, TaskObject>();
  /** What was asked of it, in order; shared with the engine by who wants to know which came first. */
  calls: string[] = [];
  /** Resolves whether a container listens. */
  listen: (ports: readonly number[], maxMs: number, signal: AbortSignal) => Promise<boolean> =
    async () => true;
  /** Resolves when the connections are gone. */
  drain: (maxMs: number, signal: AbortSignal) => Promise<number> = async () => 0;

  hidden: string[] = [];

  async activate(task: TaskObject): Promise<void> {
    this.active.set(task.id, task);
  }
  obstructions(): string[] {
    return this.hidden;
  }
  async listening(
    _containerId: string,
    ports: readonly number[],
    maxMs: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    return this.listen(ports, maxMs, signal);
  }
  async withdraw(taskId: string): Promise<void> {
    this.calls.push(`withdraw ${taskId}`);
    this.active.delete(taskId);
  }
  async drained(containerId: string, maxMs: number, signal: AbortSignal): Promise<number> {
    this.calls.push(`drain ${containerId} ${maxMs}`);
    return this.drain(maxMs, signal);
  }
}

/** Runs everything at once; `abort` cancels it. */
export function makeContext(): OperationContext & { abort: AbortController } {
  const abort = new AbortController();
  return { abort, signal: abort.signal, busy: (work) => work() };
}

export interface Objects {
  secrets?: Record<string, SecretObject>;
  configs?: Record<string, ConfigObject>;
}

/** An executor on fakes, where the image nginx:latest can be pulled. */
export function setUp(engine = new FakeEngine()) {
  const clock = new SimClock();
  const images = new FakeImages();
  const networks = new FakeNetworks();
  const traffic = new FakeTraffic();
  traffic.calls = engine.calls;
  const disk = new SimDisk();
  const containerAttachments = new ContainerAttachments({
    clock,
    logger: silentLogger,
    resources: () => undefined,
  });
  const volumes: object[] = [];
  const executor = new ContainerExecutor({
    engine,
    images,
    imagePeers: new FakePeers(),
    networks,
    traffic,
    containerAttachments,
    disk,
    clock,
    logger: silentLogger,
    facts: () => FACTS,
    volumes: {
      create: async (request) => {
        volumes.push(request);
        return {} as never;
      },
      drivers: async () => ['local', 'fast'],
    },
  });
  const controller = (task: TaskObject, objects: Objects = {}): TaskController =>
    executor.controller(task, {
      secret: (id) => found(objects.secrets?.[id], `secret ${id} not found`),
      config: (id) => found(objects.configs?.[id], `config ${id} not found`),
    });
  return { clock, controller, disk, engine, executor, images, networks, traffic, volumes };
}

function found<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new Error(message);
  return value;
}
