import { create } from '@bufbuild/protobuf';
import { TaskState, TaskStatusSchema } from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { taskOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { StatusWriter } from './status-writer.js';

const STATES = Object.values(TaskState).filter((state) => typeof state === 'number');

const deed = fc.record({
  action: fc.constantFrom('report', 'commit', 'refuse', 'allow', 'wait'),
  task: fc.nat(2),
  state: fc.constantFrom(...STATES),
});

it('whatever nodes report and the log refuses, states only go forward, to the furthest', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 40 }), async (deeds) => {
      const sim = new SimRoom({ automatic: false });
      const created = sim.store.update((tx) => {
        for (const id of ['t0', 't1', 't2']) tx.create('task', taskOf(id, { nodeId: 'n1' }));
      });
      sim.proposer.commit();
      await created;
      const seen = new Map<string, number>();
      sim.store.subscribe(({ changes }) => {
        for (const { table, object } of changes) {
          if (table !== 'task') continue;
          expect(object.status.state).toBeGreaterThanOrEqual(seen.get(object.id) ?? 0);
          seen.set(object.id, object.status.state);
        }
      });
      const writer = new StatusWriter({ ...sim.options, nodeId: 'm1' });
      writer.start();
      const furthest = new Map<string, number>();
      for (const { action, task, state } of deeds) {
        const id = `t${task}`;
        if (action === 'report') {
          furthest.set(id, Math.max(furthest.get(id) ?? 0, state));
          await writer.add(id, create(TaskStatusSchema, { state }));
        } else if (action === 'commit') sim.proposer.commit();
        else if (action === 'wait') await sim.clock.advance(100);
        else sim.proposer.refuse(action === 'refuse' ? new Error('disk full') : undefined);
      }
      sim.proposer.refuse(undefined);
      for (let turn = 0; turn < 5; turn++) {
        await sim.clock.advance(10_000);
        sim.proposer.commit();
      }
      await sim.settle();
      for (const [id, state] of furthest) expect(sim.get('task', id).status.state).toBe(state);
      await writer.stop();
    }),
    { numRuns: 60, seed: 5 },
  );
});
