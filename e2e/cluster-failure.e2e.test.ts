import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { ConfigWriter } from './support/config-writer.ts';
import { until } from './support/exec.ts';

/** What a swarm of machines goes through when they die, are cut off, and come back. */

const MANAGERS = ['mgr1', 'mgr2', 'mgr3'];
const WORKERS = ['worker1', 'worker2'];
const NODES = [...MANAGERS, ...WORKERS];

/** Longest pause between two acknowledged writes over a change of leader, on a busy machine. */
const PAUSE_MAX_MS = 5_000;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.swarm(MANAGERS, WORKERS);
});
afterAll(() => cluster?.cleanUp());

/** The managers but one. */
function others(name: string): [string, string] {
  return MANAGERS.filter((each) => each !== name) as [string, string];
}

/** Has the tests ask a manager, which must be one that runs. */
function ask(manager: string): void {
  cluster.manager = manager;
}

function untilAllReady(): Promise<unknown> {
  return cluster.untilNodes(
    (nodes) =>
      nodes.length === NODES.length &&
      nodes.every(({ status, manager }) => status === 'Ready' && manager !== 'Unreachable'),
  );
}

/** Names of all configs, as a manager tells them. */
async function configs(manager: string): Promise<Set<string>> {
  const all = await cluster.machines.get<{ Spec: { Name: string } }[]>(manager, '/configs');
  return new Set(all.map(({ Spec }) => Spec.Name));
}

/** Checks at each manager that nothing acknowledged is missing. */
async function expectKept(acknowledged: readonly string[], managers = MANAGERS): Promise<void> {
  for (const manager of managers) {
    const kept = await configs(manager);
    expect(acknowledged.filter((name) => !kept.has(name))).toEqual([]);
  }
}

function untilWritten(writer: ConfigWriter, more: number): Promise<unknown> {
  const goal = writer.acknowledged.length + more;
  return until(
    async () => ({ written: writer.acknowledged.length, last: writer.failures.at(-1) }),
    ({ written }) => written >= goal,
  );
}

describe('a leader killed under a stream of writes', () => {
  it.for([1, 2, 3])('loses nothing that was acknowledged (%i)', async (round, { annotate }) => {
    const leader = await cluster.leader();
    const [follower, other] = others(leader);
    const socket = (name: string) => cluster.machines.socket(name);
    const there = new ConfigWriter({ socket: socket(leader), prefix: `leader${round}-` });
    const elsewhere = new ConfigWriter({ socket: socket(follower), prefix: `follower${round}-` });
    try {
      await Promise.all([untilWritten(there, 30), untilWritten(elsewhere, 30)]);
      await cluster.machines.kill(leader);
      await untilWritten(elsewhere, 30);
    } finally {
      await Promise.all([there.stop(), elsewhere.stop()]);
    }
    await annotate(`longest pause between writes: ${Math.round(elsewhere.longestPauseMs)} ms`);
    expect(elsewhere.longestPauseMs).toBeLessThan(PAUSE_MAX_MS);
    ask(other);
    await cluster.machines.start(leader);
    await untilAllReady();
    await expectKept([...there.acknowledged, ...elsewhere.acknowledged]);
  });
});
