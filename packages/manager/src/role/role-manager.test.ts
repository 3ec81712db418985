import { NodeRole } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { nodeOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { REMOVAL_MS_MAX, ROLE_RETRY_MS, TRANSFER_MS_MAX } from './limits.js';
import { SimMembers } from './members.sim.js';
import { RoleManager } from './role-manager.js';

const { MANAGER, WORKER } = NodeRole;
const REFUSED = () => Promise.reject(new Error('no quorum'));
const SILENT = () => new Promise<never>(() => {});

/** A leader `m1`, managers `m2` and `m3`, a worker `w1`, and their role manager. */
async function room(members = new SimMembers('m1', 'm2', 'm3')) {
  const sim = new SimRoom();
  const roles = new RoleManager({ ...sim.options, members });
  for (const id of ['m1', 'm2', 'm3']) await sim.put('node', managerOf(id));
  await sim.put('node', nodeOf('w1'));
  roles.start();
  await sim.settle();
  const role = (id: string) => sim.get('node', id).role;
  const desire = (id: string, desiredRole: NodeRole) =>
    sim.change('node', id, ({ spec }) => ({ spec: { ...spec, desiredRole } }));
  return { sim, members, roles, role, desire };
}

function managerOf(id: string, desiredRole: NodeRole = MANAGER) {
  return nodeOf(id, { role: MANAGER, spec: { desiredRole } });
}

describe('promotion', () => {
  it('takes effect at once, without a word to the voters', async () => {
    const { members, role, desire } = await room();
    await desire('w1', MANAGER);
    expect(role('w1')).toBe(MANAGER);
    expect(members.asked).toEqual([]);
  });

  it('is taken back where the node has not joined yet', async () => {
    const { members, role, desire } = await room();
    await desire('w1', MANAGER);
    await desire('w1', WORKER);
    expect(role('w1')).toBe(WORKER);
    expect(members.asked).toEqual([]);
  });
});

describe('demotion', () => {
  it('removes the member first and only then makes a worker of it', async () => {
    const { sim, members, role, desire } = await room();
    let rolesSeen: NodeRole[] = [];
    members.trouble = async () => void rolesSeen.push(role('m2'));
    await desire('m2', WORKER);
    expect(members.asked).toEqual(['remove 2']);
    expect(rolesSeen).toEqual([MANAGER]);
    expect(role('m2')).toBe(WORKER);
    rolesSeen = [];
    await sim.clock.advance(10 * ROLE_RETRY_MS);
    expect(rolesSeen).toEqual([]);
    expect(sim.clock.pendingTimers).toBe(0);
  });

  it('removes it again when it joined once more before it had its new certificate', async () => {
    const { sim, members, role, desire } = await room();
    await desire('m2', WORKER);
    members.add('m2');
    await sim.settle();
    expect(members.asked).toEqual(['remove 2', 'remove 4']);
    expect(members.list().map(({ nodeId }) => nodeId)).not.toContain('m2');
    expect(role('m2')).toBe(WORKER);
  });

  it('waits while the others would lose their quorum', async () => {
    const { sim, members, role, desire } = await room();
    members.mayGo = () => false;
    await desire('m2', WORKER);
    await sim.clock.advance(3 * ROLE_RETRY_MS);
    expect(members.asked).toEqual([]);
    expect(role('m2')).toBe(MANAGER);
    members.mayGo = () => true;
    await sim.clock.advance(ROLE_RETRY_MS);
    expect(role('m2')).toBe(WORKER);
  });

  it('goes on at once when the members changed', async () => {
    const { sim, members, role, desire } = await room();
    members.mayGo = () => false;
    await desire('m2', WORKER);
    members.mayGo = () => true;
    members.changed();
    await sim.settle();
    expect(role('m2')).toBe(WORKER);
  });

  it.each([
    ['refused', REFUSED, 0],
    ['not answered', SILENT, REMOVAL_MS_MAX],
  ])('is tried again every 5 s while the removal is %s', async (_what, trouble, waitMs) => {
    const { sim, members, role, desire } = await room();
    members.trouble = trouble;
    await desire('m2', WORKER);
    await sim.clock.advance(2 * (ROLE_RETRY_MS + waitMs));
    expect(members.asked).toEqual(['remove 2', 'remove 2', 'remove 2']);
    expect(role('m2')).toBe(MANAGER);
    members.trouble = undefined;
    await sim.clock.advance(ROLE_RETRY_MS + waitMs);
    expect(role('m2')).toBe(WORKER);
  });

  it('can be taken back while it waits', async () => {
    const { sim, members, role, desire } = await room();
    members.trouble = REFUSED;
    await desire('m2', WORKER);
    await desire('m2', MANAGER);
    members.trouble = undefined;
    await sim.clock.advance(3 * ROLE_RETRY_MS);
    expect(members.list()).toHaveLength(3);
    expect(role('m2')).toBe(MANAGER);
  });

  it('of several at once handles each', async () => {
    const { members, role, desire } = await room();
    await desire('m3', WORKER);
    await desire('m2', WORKER);
    expect([role('m2'), role('m3')]).toEqual([WORKER, WORKER]);
    expect(members.asked).toEqual(['remove 3', 'remove 2']);
  });

  it('of the leader leaves the rest to the next one', async () => {
    const { sim, members, roles, role, desire } = await room();
    await desire('m1', WORKER);
    expect(members.asked).toEqual(['transfer']);
    await roles.stop();
    await sim.clock.advance(TRANSFER_MS_MAX);
    expect(members.asked).toEqual(['transfer']);
    expect(role('m1')).toBe(MANAGER);
  });

  it('of a leader nobody takes over from removes it all the same', async () => {
    const { sim, members, role, desire } = await room();
    let failures = 1;
    members.trouble = () => (failures-- > 0 ? REFUSED() : Promise.resolve());
    await desire('m1', WORKER);
    expect(members.asked).toEqual(['transfer', 'remove 1']);
    await sim.settle();
    expect(role('m1')).toBe(WORKER);
  });

  it('never removes a leader that stopped while it handed over', async () => {
    const { sim, members, roles, desire } = await room();
    members.trouble = SILENT;
    await desire('m1', WORKER);
    await roles.stop();
    await sim.clock.advance(2 * TRANSFER_MS_MAX);
    expect(members.asked).toEqual(['transfer']);
    expect(sim.clock.pendingTimers).toBe(0);
    expect(members.listenerCount).toBe(0);
  });
});

describe('members', () => {
  it('whose node was removed go', async () => {
    const { sim, members } = await room();
    await sim.remove('node', 'm3');
    expect(members.asked).toEqual(['remove 3']);
  });

  it('whose node is unknown go when a leader starts, and when they turn up', async () => {
    const { sim, members } = await room(new SimMembers('m1', 'm2', 'm3', 'stranger'));
    expect(members.asked).toEqual(['remove 4']);
    members.add('another');
    await sim.settle();
    expect(members.asked).toEqual(['remove 4', 'remove 5']);
    expect(members.list().map(({ nodeId }) => nodeId)).toEqual(['m1', 'm2', 'm3']);
  });

  it('stay where the only one is of a node not written yet', async () => {
    const sim = new SimRoom();
    const members = new SimMembers('m1');
    members.mayGo = () => false;
    const roles = new RoleManager({ ...sim.options, members });
    roles.start();
    await sim.clock.advance(ROLE_RETRY_MS);
    await sim.put('node', managerOf('m1'));
    await sim.clock.advance(2 * ROLE_RETRY_MS);
    expect(members.asked).toEqual([]);
    expect(sim.clock.pendingTimers).toBe(0);
  });
});

it('a new leader finds every role that is not as desired', async () => {
  const { sim, members, roles, role } = await room();
  await roles.stop();
  await sim.put('node', managerOf('m2', WORKER));
  await sim.change('node', 'w1', ({ spec }) => ({ spec: { ...spec, desiredRole: MANAGER } }));
  expect([role('m2'), role('w1')]).toEqual([MANAGER, WORKER]);
  const next = new RoleManager({ ...sim.options, members });
  next.start();
  await sim.settle();
  expect([role('m2'), role('w1')]).toEqual([WORKER, MANAGER]);
  await next.stop();
});
