import { Agent } from '@skep/agent';
import { SimClock, SimDisk, SimRandom, settle, silentLogger } from '@skep/platform';
import { TaskState } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { ContainerAttachments } from './attachment/container-attachments.js';
import { ContainerExecutor } from './executor.js';
import { FakeEngine } from './testing/fake-engine.js';
import { FakeImages, FakePeers } from './testing/fake-images.js';
import { killable } from './testing/killable.js';
import { FakeManager } from './testing/manager.js';
import { makeTask, published } from './testing/objects.js';
import { FACTS, FakeNetworks, FakeTraffic } from './testing/setup.js';

interface Machine {
  engine: FakeEngine;
  images: FakeImages;
  disk: SimDisk;
  manager: FakeManager;
}

function makeMachine(taskCount: number): Machine {
  const manager = new FakeManager();
  manager.tasks = Array.from({ length: taskCount }, (_, index) =>
    makeTask({}, { ...published, id: `t${index}`, desiredState: TaskState.RUNNING }),
  );
  return { engine: new FakeEngine(), images: new FakeImages(), disk: new SimDisk(), manager };
}

/** A daemon on the machine; `kill` is kill -9. */
function startDaemon(machine: Machine) {
  const parts = {
    engine: killable(machine.engine),
    images: killable(machine.images),
    disk: killable(machine.disk),
    manager: killable(machine.manager),
  };
  const clock = new SimClock();
  const traffic = new FakeTraffic();
  const logger = silentLogger;
  const executor = new ContainerExecutor({
    engine: parts.engine.object,
    images: parts.images.object,
    imagePeers: new FakePeers(),
    disk: parts.disk.object,
    volumes: { create: async () => ({}) as never, drivers: async () => ['local'] },
    networks: new FakeNetworks(),
    traffic,
    containerAttachments: new ContainerAttachments({ clock, logger, resources: () => undefined }),
    clock,
    logger,
    facts: () => FACTS,
  });
  const agent = Agent.start({
    executor,
    connect: async () => parts.manager.object,
    disk: parts.disk.object,
    clock,
    random: new SimRandom(1),
    logger,
    directory: '/swarm/worker',
  });
  const kill = () => {
    for (const part of Object.values(parts)) part.kill();
  };
  return { agent, clock, kill, traffic };
}

/** Lets the process run for about `steps` turns of its promises. */
async function run(steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) await Promise.resolve();
}

describe('a daemon that is killed', () => {
  it('at any moment starts no task twice and loses none', async () => {
    for (let steps = 0; steps < 120; steps += 3) {
      const machine = makeMachine(5);
      const first = startDaemon(machine);
      await run(steps);
      first.kill();
      await settle();
      const before = [...machine.engine.containers.keys()];
      const second = startDaemon(machine);
      await settle();
      const containers = [...machine.engine.containers.values()];
      expect([...machine.engine.containers.keys()]).toEqual(expect.arrayContaining(before));
      expect(containers.map(({ name }) => name).sort()).toEqual(
        machine.manager.tasks.map(({ id }) => `web.2.${id}`),
      );
      for (const { starts, status } of containers) {
        expect({ starts, status }).toEqual({ starts: 1, status: 'running' });
      }
      for (const { id } of machine.manager.tasks) {
        expect(machine.manager.states.get(id)?.at(-1)).toBe(TaskState.RUNNING);
        expect(second.traffic.active.has(id)).toBe(true);
      }
      await (await second.agent).stop();
    }
  });

  it('notices what ended meanwhile', async () => {
    const machine = makeMachine(3);
    const first = startDaemon(machine);
    await settle();
    first.kill();
    machine.engine.exit('web.2.t1', 7);
    await machine.engine.remove('web.2.t2', { force: true, volumes: true });
    const second = startDaemon(machine);
    await settle();
    const last = (id: string) => machine.manager.states.get(id)?.at(-1);
    expect([last('t0'), last('t1'), last('t2')]).toEqual([
      TaskState.RUNNING,
      TaskState.FAILED,
      TaskState.FAILED,
    ]);
    expect([...second.traffic.active.keys()]).toEqual(['t0']);
    await (await second.agent).stop();
  });

  it('brings fifty tasks up with one pull and a handful of disk operations', async () => {
    const machine = makeMachine(50);
    machine.images.registry = async function* (reference) {
      await settle(); // a registry is not instant
      yield* machine.images.serve(reference);
    };
    const { agent, clock } = startDaemon(machine);
    await settle();
    await settle();
    expect(machine.images.pulls).toHaveLength(1);
    expect(machine.disk.operations).toBeLessThan(80);
    for (const { id } of machine.manager.tasks) {
      expect(machine.manager.states.get(id)?.at(-1)).toBe(TaskState.RUNNING);
    }
    await (await agent).stop();
    expect(clock.pendingTimers).toBe(0);
    for (const { status } of machine.engine.containers.values()) expect(status).toBe('running');
  });
});
