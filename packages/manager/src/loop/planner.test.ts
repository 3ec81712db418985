import { create } from '@bufbuild/protobuf';
import { InvariantError, SimClock, SimRandom, settle, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import { completeObject } from '@skep/wire';
import { TaskSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { createTask, type Step } from './plan.js';
import { type Decision, Planner } from './planner.js';

function make(decide: (keys: readonly string[]) => Decision) {
  const clock = new SimClock();
  const store = new Store({ clock, random: new SimRandom(1), log: silentLogger });
  const proposer = new SimProposer(store);
  store.attach(proposer);
  const fatal: InvariantError[] = [];
  const planner = new Planner({
    name: 'test',
    store,
    clock,
    log: silentLogger,
    decide: (_, keys) => decide(keys),
    onFatal: (error) => fatal.push(error),
  });
  planner.start();
  return { clock, store, proposer, planner, fatal };
}

function creation(id: string, payload = ''): Step {
  const task = create(TaskSchema, { id, status: { message: payload } });
  return [createTask(completeObject('task', task))];
}

describe('Planner', () => {
  it('decides on all marked keys together, once', async () => {
    const seen: (readonly string[])[] = [];
    const { planner, proposer } = make((keys) => {
      seen.push(keys);
      return { steps: keys.map((key) => creation(key)) };
    });
    for (const key of ['a', 'b', 'a']) planner.mark(key);
    await settle();
    expect(seen).toEqual([['a', 'b']]);
    expect(proposer.entries).toHaveLength(1);
  });

  it('looks again when it said it would, and not once a mark came before', async () => {
    let looks = 0;
    const { planner, clock } = make(() => ({ steps: [], wakes: looks++ < 2 ? [['a', 500]] : [] }));
    planner.mark('a');
    await clock.advance(499);
    planner.mark('a');
    await clock.advance(499);
    expect(looks).toBe(2);
    await clock.advance(1);
    expect(looks).toBe(3);
    expect(clock.pendingTimers).toBe(0);
  });

  it('isolates a key that cannot be planned, so that the others go on', async () => {
    const { planner, clock, store } = make((keys) => {
      if (keys.includes('bad')) throw new Error('no');
      return { steps: keys.filter((key) => !store.view.get('task', key)).map((k) => creation(k)) };
    });
    for (const key of ['a', 'b', 'bad', 'c', 'd']) planner.mark(key);
    await clock.advance(3_000);
    expect([...store.view.all('task')].map(({ id }) => id).sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('splits what does not fit into one entry', async () => {
    const payload = 'x'.repeat(20_000);
    const done = new Set<string>();
    const { planner, store, proposer } = make(() => {
      const ids = Array.from({ length: 200 }, (_, at) => `t${at}`);
      const missing = ids.filter((id) => !done.has(id));
      return { steps: missing.map((id) => creation(id, payload)) };
    });
    store.subscribe(({ changes }) => {
      for (const { object } of changes) done.add(object.id);
    });
    planner.mark('a');
    await settle();
    expect(store.view.count('task')).toBe(200);
    expect(proposer.entries.length).toBeLessThan(10);
  });

  it('plans again when the outcome of a write was lost', async () => {
    const { planner, clock, store, proposer } = make(() => ({
      steps: store.view.get('task', 'a') ? [] : [creation('a')],
    }));
    planner.mark('a');
    await Promise.resolve();
    proposer.lose(new Error('leadership lost'));
    await clock.advance(100);
    expect(store.view.count('task')).toBe(1);
  });

  it('reports a broken invariant', async () => {
    const { planner, fatal } = make(() => {
      throw new InvariantError('two of one');
    });
    planner.mark('a');
    await settle();
    await planner.stop();
    expect(fatal).toHaveLength(1);
  });
});
