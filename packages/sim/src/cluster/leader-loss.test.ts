import { describe, expect, it } from 'vitest';
import { TestSwarm } from './testing-swarm.js';

describe('a machine that is lost', { timeout: 60_000 }, () => {
  it('has its tasks elsewhere within 6 s when it was a worker', async () => {
    const swarm = await TestSwarm.form(1, 2);
    await swarm.createService('web', 6);
    swarm.machine(3).die('power');
    await swarm.until('six run', () => swarm.runningCount === 6, 6_000);
  });

  it('has its tasks elsewhere within 8 s when it led', async () => {
    const swarm = await TestSwarm.form(3, 1);
    await swarm.createService('web', 8);
    swarm.leader.die('power');
    const wellRunning = () => swarm.world.leader !== undefined && swarm.runningCount === 8;
    await swarm.until('eight run', wellRunning, 8_000);
  });

  it('takes no worker with it that had its session through it', async () => {
    const swarm = await TestSwarm.form(3, 3);
    await swarm.createService('web', 6);
    const before = swarm.world.machines.map(({ containers }) => containers.running);
    const lost = swarm.world.machines.find(
      (machine) => machine !== swarm.leader && machine.member?.manager,
    );
    lost?.die('power');
    await swarm.run(15_000);
    swarm.world.machines.forEach((machine, at) => {
      // What the lost machine ran may be added, and nothing is taken away.
      if (machine !== lost)
        expect(machine.containers.running).toEqual(expect.arrayContaining(before[at] ?? []));
    });
  });
});
