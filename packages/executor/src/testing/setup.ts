import type { OperationContext, TaskController } from '@skep/agent';
import { SimClock, SimDisk, silentLogger } from '@skep/platform';
import type { ConfigObject, SecretObject, TaskObject } from '@skep/wire';
import { ContainerExecutor } from '../executor.js';
import type { NodeFacts } from '../node/describe.js';
import type { IngressAttachment, PublishedTask, ServicePublisher } from '../publisher.js';
import { FakeEngine } from './fake-engine.js';
import { FakeImages } from './fake-images.js';

export const FACTS: NodeFacts = {
  hostname: 'host1',
  architecture: 'x86_64',
  cpuCount: 2,
  memoryBytes: 4_096,
  engineVersion: '0.1.0',
  labels: { disk: 'ssd' },
  genericResources: [],
};

/** Remembers what is published, and everything it was told. */
export class FakePublisher implements ServicePublisher {
  readonly active = new Map<string, PublishedTask>();
  readonly nodes: (IngressAttachment | undefined)[] = [];
  readonly restoredWith: string[][] = [];

  async activate(task: PublishedTask): Promise<void> {
    this.active.set(task.taskId, task);
  }
  async deactivate(taskId: string): Promise<void> {
    this.active.delete(taskId);
  }
  async configureNode(ingress: IngressAttachment | undefined): Promise<void> {
    this.nodes.push(ingress);
  }
  async restored(liveTaskIds: readonly string[]): Promise<void> {
    this.restoredWith.push([...liveTaskIds]);
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
  const publisher = new FakePublisher();
  const disk = new SimDisk();
  const volumes: object[] = [];
  const executor = new ContainerExecutor({
    engine,
    images,
    publisher,
    disk,
    clock,
    logger: silentLogger,
    facts: () => FACTS,
    volumes: {
      create: async (request) => {
        volumes.push(request);
        return {} as never;
      },
    },
  });
  const controller = (task: TaskObject, objects: Objects = {}): TaskController =>
    executor.controller(task, {
      secret: (id) => found(objects.secrets?.[id], `secret ${id} not found`),
      config: (id) => found(objects.configs?.[id], `config ${id} not found`),
    });
  return { clock, controller, disk, engine, executor, images, publisher, volumes };
}

function found<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new Error(message);
  return value;
}
