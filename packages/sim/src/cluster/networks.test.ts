import { describe, expect, it } from 'vitest';
import { TestSwarm } from './testing-swarm.js';

const TEST_TIMEOUT_MS = 60_000;

describe('the tables of all nodes', { timeout: TEST_TIMEOUT_MS }, () => {
  it('have lost a task on every node when its withdrawal is answered', async () => {
    const swarm = await TestSwarm.form(3, 2);
    await swarm.createService('web', 3);
    const { machines } = swarm.world;
    const machine = machines.find(({ containers }) => containers.running.length > 0);
    const [taskId = ''] = machine?.containers.running ?? [];
    const isReady = () => machines.map(({ tables }) => tables.isReady(taskId));
    expect(isReady()).toEqual(Array(5).fill(true));
    const { signal } = new AbortController();
    await swarm.during(machine!.member!.withdraw(taskId, signal));
    expect(isReady()).toEqual(Array(5).fill(false));
  });

  it('lose the tasks of a machine that is lost as soon as that is known', async () => {
    const swarm = await TestSwarm.form(1, 2);
    await swarm.createService('web', 6);
    const lost = swarm.machine(3);
    const taskIds = lost.containers.running;
    expect(taskIds.length).toBeGreaterThan(0);
    lost.die('power');
    const others = [swarm.machine(1), swarm.machine(2)];
    const anyReady = () => others.some(({ tables }) => taskIds.some((id) => tables.isReady(id)));
    await swarm.until('nobody uses them', () => !anyReady(), 6_000);
  });
});
