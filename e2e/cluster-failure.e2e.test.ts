import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { type Answer, ConfigWriter, createConfig } from './support/config-writer.ts';
import { until } from './support/exec.ts';
import { type ApiTask, IDLE, PATIENCE_MS } from './support/swarm-view.ts';

/** What a swarm of machines goes through when they die, are cut off, and come back. */

const MANAGERS = ['mgr1', 'mgr2', 'mgr3'];
const WORKERS = ['worker1', 'worker2'];
const NODES = [...MANAGERS, ...WORKERS];

/** Longest pause between two acknowledged writes over a change of leader, on a busy machine. */
const PAUSE_MAX_MS = 5_000;
/** The same when the leader hands over. */
const HANDOVER_PAUSE_MAX_MS = 2_000;
/** Time for tasks of a node that is gone to run on another, on a busy machine. */
const MOVED_MAX_MS = 10_000;

/** Machines are killed and started many times, and a busy host takes long over each. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

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

/** A service on the workers alone, two tasks each. */
async function createOnWorkers(name: string): Promise<void> {
  const flags = ['--replicas', '4', '--constraint', 'node.role==worker'];
  await cluster.create('--name', name, ...flags, ...IDLE);
  const placement = await cluster.placement(name, 4);
  expect(placement).toEqual(['worker1', 'worker1', 'worker2', 'worker2']);
}

/** Ids of the containers that run on a machine, asked inside of it. */
function runningOn(machine: string): Promise<string> {
  return cluster.machines.ssh(machine, 'docker ps -q');
}

/** Waits until all four tasks run on the second worker; how long that took. */
async function untilMoved(service: string): Promise<number> {
  const startedMs = performance.now();
  await until(
    () => cluster.placement(service, 4),
    (names) => names.every((name) => name === 'worker2'),
  );
  const tookMs = Math.round(performance.now() - startedMs);
  expect(tookMs).toBeLessThan(MOVED_MAX_MS);
  return tookMs;
}

/** Waits until a node that was given up is there again, and runs nothing of what went elsewhere. */
async function expectNothingRuns(machine: string): Promise<void> {
  await cluster.untilNode(machine, /^Ready /);
  await until(
    () => runningOn(machine),
    (ids) => ids === '',
  );
}

describe('a worker', () => {
  it('that is killed: its tasks run elsewhere, and it comes back empty', async ({ annotate }) => {
    await createOnWorkers('killed');
    await cluster.machines.kill('worker1');
    await annotate(`tasks run elsewhere after ${await untilMoved('killed')} ms`);
    await cluster.untilNode('worker1', /^Down /);
    await cluster.machines.start('worker1');
    await expectNothingRuns('worker1');
    expect(await cluster.placement('killed', 4)).toEqual(Array(4).fill('worker2'));
    await cluster.remove('killed');
  });

  it('that is cut off: runs on alone, and stops what it should no longer run when it is back', async ({
    annotate,
  }) => {
    await createOnWorkers('cut');
    const before = await runningOn('worker1');
    expect(before.split('\n')).toHaveLength(2);
    const watch = new SlotWatch('cut');
    try {
      await cluster.machines.disconnect('worker1');
      await annotate(`tasks run elsewhere after ${await untilMoved('cut')} ms`);
      await cluster.untilNode('worker1', /^Down /);
      expect(await runningOn('worker1')).toBe(before);
      await cluster.machines.connect('worker1');
      await expectNothingRuns('worker1');
      expect(await cluster.placement('cut', 4)).toEqual(Array(4).fill('worker2'));
    } finally {
      await watch.stop();
    }
    expect(watch.doubles).toEqual([]);
    expect(watch.looks).toBeGreaterThan(20);
    await cluster.remove('cut');
  });
});

/** Looks all the time whether a slot has two tasks that run and are to run. */
class SlotWatch {
  readonly doubles: string[] = [];
  looks = 0;
  readonly #service: string;
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(service: string) {
    this.#service = service;
    this.#done = this.#run();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const tasks = await cluster.tasks(this.#service);
      const running = tasks.filter(
        ({ DesiredState, Status }) => DesiredState === 'running' && Status.State === 'running',
      );
      const slots = running.map(({ Slot }) => Slot);
      if (new Set(slots).size < slots.length) this.doubles.push(JSON.stringify(running));
      this.looks++;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Docker's words, and how many managers it takes. */
const NO_QUORUM = /The swarm does not have a leader.*\(1 of 3 managers reachable, 2 needed\)/s;
/** A manager without a quorum for a while does not wait for one. */
const AT_ONCE_MS = 1_000;
/** Time for a manager to find that it is alone. */
const ALONE_TIMEOUT_MS = 15_000;

/** Waits until a manager refuses writes for lack of a quorum, and checks that it then does so at once. */
async function expectRefusal(manager: string): Promise<Answer[]> {
  const socket = cluster.machines.socket(manager);
  const answers: Answer[] = [];
  await until(
    async () => {
      const answer = await createConfig(socket, `minority-${manager}-${answers.length}`);
      answers.push(answer);
      return answer;
    },
    ({ text, tookMs }) => NO_QUORUM.test(text) && tookMs < AT_ONCE_MS,
    ALONE_TIMEOUT_MS,
  );
  expect(answers.map(({ status }) => status)).not.toContain(201);
  const said = await cluster.machines.dockerFails(manager, 'service', 'create', '-q', ...IDLE);
  expect(said).toMatch(NO_QUORUM);
  return answers;
}

describe('a manager that is cut off', () => {
  it.for(['leader', 'follower'])(
    'as %s refuses writes, and agrees when it is back',
    async (role, { annotate }) => {
      const leader = await cluster.leader();
      const lone = role === 'leader' ? leader : others(leader)[0];
      const [inMajority, another] = others(lone);
      const socket = cluster.machines.socket(inMajority);
      const writer = new ConfigWriter({ socket, prefix: `without-${role}-` });
      try {
        await untilWritten(writer, 30);
        await cluster.machines.disconnect(lone);
        const answers = await expectRefusal(lone);
        await annotate(`refusals took ${answers.map(({ tookMs }) => Math.round(tookMs))} ms`);
        await untilWritten(writer, 30);
      } finally {
        await writer.stop();
      }
      expect(writer.longestPauseMs).toBeLessThan(PAUSE_MAX_MS);
      ask(another);
      await cluster.machines.connect(lone);
      await untilAllReady();
      await expectKept(writer.acknowledged);
      const [one, ...more] = await Promise.all(MANAGERS.map(configs));
      for (const each of more) expect(each).toEqual(one);
    },
  );
});

describe('managers without a quorum', () => {
  it('refuse writes at once, keep what runs running, and go on with one more', async ({
    annotate,
  }) => {
    await cluster.create('--name', 'lasting', '--mode', 'global', ...IDLE);
    await cluster.running('lasting', NODES.length);
    const [last, ...killed] = MANAGERS as [string, string, string];
    ask(last);
    await Promise.all(killed.map((name) => cluster.machines.kill(name)));
    const answers = await expectRefusal(last);
    await annotate(`refusals took ${answers.map(({ tookMs }) => Math.round(tookMs))} ms`);
    expect(await cluster.fails('node', 'ls')).toMatch(NO_QUORUM);
    for (const name of [last, ...WORKERS]) expect(await runningOn(name)).not.toBe('');
    expect(await cluster.membership(last)).toBe('active');

    await cluster.machines.start(killed[0]);
    const socket = cluster.machines.socket(last);
    await until(
      () => createConfig(socket, 'with-two'),
      ({ status }) => status === 201 || status === 409,
    );
    await cluster.machines.start(killed[1]);
    await untilAllReady();
    await expectKept(['with-two']);
  });

  it.for([
    ['mgr1', 'mgr2', 'mgr3'],
    ['mgr3', 'mgr1', 'mgr2'],
    ['mgr2', 'mgr3', 'mgr1'],
  ])('killed together come back in the order %s, %s, %s', async (order, { annotate }) => {
    const socket = cluster.machines.socket(order[0] ?? '');
    const writer = new ConfigWriter({ socket, prefix: `before-${order[0]}-` });
    await untilWritten(writer, 20);
    await Promise.all(order.map((name) => cluster.machines.kill(name)));
    await writer.stop();
    const onWorkers = await Promise.all(WORKERS.map(runningOn));
    for (const name of order) await cluster.machines.start(name);
    const startedMs = performance.now();
    await untilAllReady();
    await cluster.running('lasting', NODES.length);
    await annotate(`all well ${Math.round(performance.now() - startedMs)} ms after the last start`);
    await expectKept(writer.acknowledged);
    expect(await Promise.all(WORKERS.map(runningOn))).toEqual(onWorkers);
  });
});

describe('a rolling update', () => {
  it('goes on to its end when the leader dies', async () => {
    const flags = ['--replicas', '6', '--update-delay', '500ms', '--update-monitor', '500ms'];
    await cluster.create('--name', 'rolling', ...flags, ...IDLE);
    const old = new Set((await cluster.running('rolling', 6)).map(({ ID }) => ID));
    const leader = await cluster.leader();
    await cluster.update('--env-add', 'ROUND=2', 'rolling');
    const isNew = ({ ID, Status }: ApiTask) => !old.has(ID) && Status.State === 'running';
    await until(
      () => cluster.tasks('rolling'),
      (tasks) => tasks.some(isNew),
    );
    await cluster.machines.kill(leader);
    ask(others(leader)[0]);
    const state = ['service', 'inspect', '-f', '{{.UpdateStatus.State}}', 'rolling'];
    await until(
      async () => (await cluster.machines.dockerResult(cluster.manager, state)).stdout.trim(),
      (said) => said === 'completed',
      PATIENCE_MS,
    );
    const tasks = await cluster.running('rolling', 6);
    expect(tasks.filter(({ ID }) => old.has(ID))).toEqual([]);
    await cluster.machines.start(leader);
    await untilAllReady();
    await cluster.remove('rolling');
  });
});

/** Pid of a machine's daemon, inside of it. */
const DAEMON_PID = '$(cat /var/lib/skep/skepd.lock)';

/** A node is given up after three seconds or more. */
const BACK_SOON_MS = 2_500;

/** Processes of tasks on a machine, its daemon running or not. */
async function taskProcesses(machine: string): Promise<string> {
  return await cluster.machines.ssh(machine, 'pgrep -x -f "sleep 1000000"');
}

describe("a leader's daemon", () => {
  it('that is stopped hands over first, and leaves its containers running', async ({
    annotate,
  }) => {
    await cluster.create('--name', 'kept', '--mode', 'global', ...IDLE);
    await cluster.running('kept', NODES.length);
    const leader = await cluster.leader();
    const [follower] = others(leader);
    const before = await taskProcesses(leader);
    const socket = cluster.machines.socket(follower);
    const writer = new ConfigWriter({ socket, prefix: 'handed-over-' });
    try {
      await untilWritten(writer, 30);
      await cluster.machines.ssh(leader, `kill -TERM ${DAEMON_PID}`);
      ask(follower);
      await cluster.leader({ not: leader });
      await untilWritten(writer, 30);
    } finally {
      await writer.stop();
    }
    await annotate(`longest pause between writes: ${Math.round(writer.longestPauseMs)} ms`);
    expect(writer.longestPauseMs).toBeLessThan(HANDOVER_PAUSE_MAX_MS);
    expect(writer.failures).toEqual([]);
    expect(await taskProcesses(leader)).toBe(before);
    await cluster.machines.stop(leader);
    await cluster.machines.start(leader);
    await untilAllReady();
    await expectKept(writer.acknowledged);
  });

  it('that dies and is back in seconds keeps its tasks', async ({ annotate }) => {
    const ids = (tasks: ApiTask[]) => tasks.map(({ ID }) => ID).sort();
    const before = ids(await cluster.running('kept', NODES.length));
    const leader = await cluster.leader();
    const processes = await taskProcesses(leader);
    ask(others(leader)[0]);
    const startedMs = performance.now();
    await cluster.machines.ssh(leader, `kill -9 ${DAEMON_PID}`);
    await until(
      () => cluster.membership(leader).catch((error: Error) => error.message),
      (state) => state === 'active',
      PATIENCE_MS,
    );
    const awayMs = Math.round(performance.now() - startedMs);
    await annotate(`back after ${awayMs} ms`);
    await untilAllReady();
    const after = ids(await cluster.running('kept', NODES.length));
    // A node that was away for longer, on a busy host, may have been given up.
    if (awayMs < BACK_SOON_MS) {
      expect(after).toEqual(before);
      expect(await taskProcesses(leader)).toBe(processes);
    }
    await cluster.remove('kept');
  });
});

/** Those that the log keeps for a manager that is behind, and those between two snapshots of this size. */
const ENTRIES_BEHIND = 500 + 500;
const VALUE_BYTES = 12_000;
/** A larger snapshot is sent in parts. */
const CHUNK_BYTES_MAX = 4 * 1024 * 1024;

/** Bytes of the snapshots that a manager has caught up by since its machine started. */
function snapshotsTaken(manager: string): number[] {
  const lines = cluster.machines.log(manager).split('\n');
  const taken = lines.filter((line) => line.includes("caught up by the leader's snapshot"));
  return taken.map((line) => JSON.parse(line).bytes);
}

describe('a manager that is far behind', () => {
  it('catches up by a snapshot of several MiB', async () => {
    await cluster.docker('swarm', 'update', '--snapshot-interval', '100');
    const leader = await cluster.leader();
    const [behind, third] = others(leader);
    ask(leader);
    await cluster.machines.disconnect(behind);
    const before = snapshotsTaken(behind).length;
    const socket = cluster.machines.socket(leader);
    const writers = ['a', 'b', 'c', 'd', 'e', 'f'].map(
      (prefix) => new ConfigWriter({ socket, prefix: `big-${prefix}-`, bytes: VALUE_BYTES }),
    );
    const written = () => writers.flatMap(({ acknowledged }) => acknowledged);
    try {
      await until(
        async () => written().length,
        (count) => count > ENTRIES_BEHIND,
        PATIENCE_MS,
      );
    } finally {
      await Promise.all(writers.map((writer) => writer.stop()));
    }
    await cluster.machines.connect(behind);
    const [bytes] = await until(
      async () => snapshotsTaken(behind).slice(before),
      ({ length }) => length > 0,
      PATIENCE_MS,
    );
    expect(bytes).toBeGreaterThan(CHUNK_BYTES_MAX);
    await untilAllReady();

    // It alone has the last entry, so it is the one that leads next.
    await cluster.machines.kill(third);
    await cluster.docker('config', 'create', 'last', '/etc/hostname');
    await cluster.machines.kill(leader);
    await cluster.machines.start(third);
    ask(behind);
    expect(await cluster.leader()).toBe(behind);
    await expectKept([...written(), 'last'], [behind]);
    await cluster.machines.start(leader);
    await untilAllReady();
  });
});

describe("a manager's disk", () => {
  it('holds no plain text of a secret, in log, snapshot or anywhere', async () => {
    const text = `plain text ${randomUUID()}`;
    const create = ['secret', 'create', 'hidden', '-'];
    const { code } = await cluster.machines.dockerResult(cluster.manager, create, { input: text });
    expect(code).toBe(0);
    const find = (manager: string, ...texts: string[]) => {
      const patterns = texts.map((each) => `-e '${each}'`).join(' ');
      return cluster.machines.sshResult(manager, `grep -rlF ${patterns} /var/lib/skep`);
    };
    for (const manager of MANAGERS) {
      const found = await find(manager, text, Buffer.from(text).toString('base64'));
      expect(found).toMatchObject({ stdout: '', code: 1 });
      expect((await find(manager, 'BEGIN CERTIFICATE')).stdout).toContain('swarm-node.crt');
    }
  });
});
