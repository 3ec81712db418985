import { NodeRole, NodeStatus_State } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { changeRole, changeSwarm, leave, removeDeparted } from './administrator.js';
import { joinAs } from './joining.js';
import { TestSwarm } from './testing-swarm.js';

const TEST_TIMEOUT_MS = 60_000;

describe('a node in its swarm', { timeout: TEST_TIMEOUT_MS }, () => {
  it('is promoted, with a new certificate and a store, and demoted again', async () => {
    const swarm = await TestSwarm.form(1, 1);
    const worker = swarm.machine(2);
    const nodeId = worker.nodeId;
    await swarm.during(changeRole(swarm.world, worker, 'manager'));
    await swarm.untilWell();
    expect(worker.member?.role).toBe('manager');
    expect(worker.nodeId).toBe(nodeId);
    expect(worker.member?.manager?.raftStatus.members).toHaveLength(2);
    await swarm.during(changeRole(swarm.world, worker, 'worker'));
    await swarm.untilWell();
    expect(worker.member?.role).toBe('worker');
    expect(await worker.disk.list('/swarm/raft')).toEqual([]);
    expect(swarm.leader.member?.manager?.raftStatus.members).toHaveLength(1);
  });

  it('hands leading over when it is demoted, and its tasks run on', async () => {
    const swarm = await TestSwarm.form(3, 0);
    await swarm.createService('web', 3);
    const { leader } = swarm;
    const running = leader.containers.running;
    await swarm.during(changeRole(swarm.world, leader, 'worker'));
    await swarm.untilWell();
    expect(swarm.leader).not.toBe(leader);
    expect(leader.member?.role).toBe('worker');
    expect(leader.containers.running).toEqual(running);
  });

  it('takes up its part and its tasks after a restart, and after all lost power', async () => {
    const swarm = await TestSwarm.form(3, 1);
    await swarm.createService('web', 4);
    const ids = swarm.world.machines.map(({ nodeId }) => nodeId);
    for (const machine of swarm.world.machines) {
      await swarm.during(machine.stop());
      machine.start();
      await swarm.untilWell();
    }
    for (const machine of swarm.world.machines) machine.die('power');
    await swarm.run(1_000);
    for (const machine of swarm.world.machines) machine.start();
    await swarm.untilWell();
    expect(swarm.world.machines.map(({ nodeId }) => nodeId)).toEqual(ids);
    expect(swarm.runningCount).toBe(4);
  });

  it('leaves, and nothing of it stays', async () => {
    const swarm = await TestSwarm.form(1, 1);
    await swarm.createService('web', 2);
    const worker = swarm.machine(2);
    const nodeId = worker.nodeId ?? '';
    const { membership } = worker.life ?? {};
    await swarm.during(leave(swarm.world, worker));
    expect(membership?.state).toBe('inactive');
    expect(await worker.disk.list('/swarm/certificates')).toEqual([]);
    await swarm.until('its tasks run elsewhere', () => swarm.runningCount === 2);
    expect(swarm.view.get('node', nodeId)?.status.state).toBe(NodeStatus_State.DOWN);
  });

  it('is removed in the end where the leader that is asked first leads no more', async () => {
    const swarm = await TestSwarm.form(3, 1);
    const { leader, world } = swarm;
    const worker = swarm.machine(4);
    const nodeId = worker.nodeId ?? '';
    await swarm.during(leave(world, worker));
    const mend = world.machines.map(({ ip }) => world.cuts.cut(leader.ip, ip));
    const removed = removeDeparted(world, nodeId);
    await swarm.until('another leads', () => swarm.leader !== leader);
    for (const again of mend) again();
    await swarm.during(removed);
    expect(swarm.view.get('node', nodeId)).toBeUndefined();
    await swarm.untilWell();
  });

  it('joins in the background as soon as managers can be reached', async () => {
    const swarm = await TestSwarm.form(1, 0);
    const { world } = swarm;
    const joiner = world.addMachine();
    const mend = world.cuts.cut(joiner.ip, swarm.machine(1).ip);
    void joinAs(world, joiner, 'worker');
    await swarm.run(40_000);
    expect(joiner.life?.membership).toMatchObject({ state: 'pending' });
    expect(joiner.life?.membership.error).not.toBe('');
    joiner.die('kill');
    joiner.start();
    await swarm.run(5_000);
    expect(joiner.life?.membership.state).toBe('pending');
    mend();
    await swarm.untilWell();
    expect(joiner.member?.role).toBe('worker');
  });

  it('comes back as manager under its own id when its log is lost', async () => {
    const swarm = await TestSwarm.form(3, 0);
    await swarm.createService('web', 3);
    const lost = swarm.world.machines.find((machine) => machine !== swarm.leader);
    const { member } = lost ?? {};
    if (!lost || !member?.manager) throw new Error('a follower has a manager');
    const { raftId } = member.manager.raftStatus;
    const { nodeId } = member;
    lost.die('power');
    await lost.removeFiles('/swarm/raft');
    lost.start();
    await swarm.untilWell();
    expect(lost.nodeId).toBe(nodeId);
    expect(lost.member?.manager?.raftStatus.raftId).not.toBe(raftId);
    expect(swarm.view.get('node', nodeId)?.role).toBe(NodeRole.MANAGER);
  });

  it('starts locked where managers lock themselves, and opens with the key', async () => {
    const swarm = await TestSwarm.form(1, 0);
    const manager = swarm.machine(1);
    await swarm.during(changeSwarm(swarm.world, { kind: 'autolock', locks: true }));
    await swarm.run(1_000);
    await swarm.during(manager.stop());
    manager.start();
    await swarm.until('it is locked', () => manager.life?.membership.state === 'locked');
    expect(await manager.life?.membership.unlock('no key')).toBe(false);
    await swarm.untilWell(); // somebody types in the key
  });
});
