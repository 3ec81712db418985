import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CreateRequest,
  containerdPaths,
  type EngineEvent,
  type StreamSession,
  type TaskExtras,
} from '@skep/containers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHAIN_ID, type EngineRoom, NAMESPACE, openEngineRoom } from './support/engine-room.ts';
import { processesMentioning } from './support/leftovers.ts';

let room: EngineRoom;
const events: EngineEvent[] = [];

beforeAll(async () => {
  room = await openEngineRoom();
  room.engine.onEvent((event) => events.push(event));
});

afterAll(async () => {
  await room?.dispose();
});

async function create(request: CreateRequest, name?: string, task?: TaskExtras): Promise<string> {
  const { Id } = await room.engine.create(
    name,
    { Image: 'busybox', ...request, HostConfig: { NetworkMode: 'none', ...request.HostConfig } },
    task,
  );
  return Id;
}

function shell(line: string, more: CreateRequest = {}): CreateRequest {
  return { Cmd: ['sh', '-c', line], ...more };
}

async function logText(id: string, stream: 'stdout' | 'stderr' = 'stdout'): Promise<string> {
  const options = { stdout: stream === 'stdout', stderr: stream === 'stderr', follow: false };
  let text = '';
  for await (const entry of room.engine.logs(id, options, AbortSignal.timeout(10_000))) {
    text += Buffer.from(entry.line).toString();
  }
  return text;
}

/** Runs a command to its end: exit code and what it printed. */
async function run(
  request: CreateRequest,
  task?: TaskExtras,
): Promise<{ code: number; output: string }> {
  const id = await create(request, undefined, task);
  const exit = room.engine.wait(id, 'next-exit');
  await room.engine.start(id);
  const { StatusCode } = await exit;
  const output = `${await logText(id)}${await logText(id, 'stderr')}`;
  await room.engine.remove(id, { force: false, volumes: true });
  return { code: StatusCode, output };
}

async function textOf(session: StreamSession): Promise<string> {
  let text = '';
  for await (const chunk of session.output) text += Buffer.from(chunk.data).toString();
  return text;
}

async function exec(
  id: string,
  Cmd: string[],
  more: object = {},
): Promise<{ code: number | null; output: string }> {
  const request = { Cmd, AttachStdout: true, AttachStderr: true, ...more };
  const { Id } = await room.engine.execCreate(id, request);
  const session = await room.engine.execStart(Id, { Detach: false, Tty: false });
  const output = await textOf(session as StreamSession);
  return { code: (await room.engine.execInspect(Id)).ExitCode, output };
}

async function remove(...ids: string[]): Promise<void> {
  for (const id of ids) await room.engine.remove(id, { force: true, volumes: true });
}

/**
 * Has containers that count started by an engine in a process of its own, which is killed when it
 * has come so far with all of them. Gives their ids.
 */
async function killedWhenAll(
  isSoFar: (id: string) => boolean,
  names: readonly string[],
  hearing: 'deaf' | 'hearing' = 'hearing',
): Promise<string[]> {
  const program = new URL('support/engine-room.child.mjs', import.meta.url).pathname;
  const args = [room.root, names.join(','), NAMESPACE, CHAIN_ID, hearing];
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const ids = line.toString().trim().split(',');
  await until(() => ids.every(isSoFar));
  child.kill('SIGKILL');
  await once(child, 'close');
  return ids;
}

function logBytes(id: string): number {
  const log = join(room.root, 'data/containers', id, `${id}-json.log`);
  return statSync(log, { throwIfNoEntry: false })?.size ?? 0;
}

/** Looks again and again until it holds; the test's own timeout is the bound. */
async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('a container from create to remove', () => {
  it('runs a command and keeps what it printed and how it ended', async () => {
    expect(await run(shell('echo out; echo err >&2; exit 3'))).toEqual({
      code: 3,
      output: 'out\nerr\n',
    });
  });

  it('emits the events of its life in order', async () => {
    events.length = 0;
    await run(shell('true', { Labels: { tier: 'web' } }));
    const own = events.filter((event) => event.Type === 'container');
    expect(own.map((event) => event.Action)).toEqual(['create', 'start', 'die', 'destroy']);
    expect(own[2]?.Actor.Attributes).toMatchObject({
      image: 'busybox',
      tier: 'web',
      exitCode: '0',
    });
  });

  it('leaves nothing behind', async () => {
    await run(shell('true', { Volumes: { '/data': {} } }));
    expect(readdirSync(join(room.root, 'data/containers'))).toEqual([]);
    expect(readdirSync(join(room.root, 'exec/containers'))).toEqual([]);
    expect(readdirSync(join(room.root, 'data/volumes'))).toEqual([]);
    expect(await room.containerd.containers.list()).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(
      join(room.root, 'exec/containers'),
    );
  });

  it('says 127 for a command that is not there, and stays created', async () => {
    const id = await create({ Cmd: ['no-such-program'] });
    await expect(room.engine.start(id)).rejects.toThrow(
      /^failed to create task for container: .*exec: "no-such-program": executable file not found in \$PATH: unknown$/,
    );
    const { State } = await room.engine.inspect(id);
    expect(State).toMatchObject({ Status: 'created', ExitCode: 127 });
    await remove(id);
  });

  it('says 126 for what cannot be executed', async () => {
    const id = await create({ Cmd: ['/data/seed'] });
    await expect(room.engine.start(id)).rejects.toThrow('permission denied');
    expect((await room.engine.inspect(id)).State.ExitCode).toBe(126);
    await remove(id);
  });

  it('stops with the signal, and kills what does not listen', async () => {
    const gentle = await create(shell('trap "exit 7" TERM; while :; do sleep 0.05; done'));
    const deaf = await create(shell('trap "" TERM; while :; do sleep 0.05; done'));
    await Promise.all([room.engine.start(gentle), room.engine.start(deaf)]);
    // A trap must be set before the signal comes.
    await until(async () => (await exec(gentle, ['true'])).code === 0);
    expect(await room.engine.stop(gentle, { timeoutSeconds: 10 })).toBe(true);
    expect((await room.engine.inspect(gentle)).State.ExitCode).toBe(7);
    expect(await room.engine.stop(deaf, { timeoutSeconds: 0 })).toBe(true);
    expect((await room.engine.inspect(deaf)).State.ExitCode).toBe(137);
    expect(await room.engine.stop(deaf)).toBe(false);
    await expect(room.engine.kill(deaf)).rejects.toThrow(`Container ${deaf} is not running`);
    await remove(gentle, deaf);
  });

  it('pauses and goes on', async () => {
    const id = await create({ Cmd: ['sleep', '100'] });
    await room.engine.start(id);
    await room.engine.pause(id);
    expect((await room.engine.inspect(id)).State).toMatchObject({ Status: 'paused', Paused: true });
    await expect(exec(id, ['true'])).rejects.toThrow(
      'is paused, unpause the container before exec',
    );
    await room.engine.unpause(id);
    expect((await exec(id, ['true'])).code).toBe(0);
    await remove(id);
  });

  it('removes itself with --rm and starts again by its restart policy', async () => {
    const gone = await create(shell('true', { HostConfig: { AutoRemove: true } }));
    const removed = room.engine.wait(gone, 'removed');
    await room.engine.start(gone);
    expect((await removed).StatusCode).toBe(0);
    await expect(room.engine.inspect(gone)).rejects.toThrow(`No such container: ${gone}`);
    const policy = { Name: 'on-failure' as const, MaximumRetryCount: 2 };
    const stubborn = await create(shell('exit 1', { HostConfig: { RestartPolicy: policy } }));
    await room.engine.start(stubborn);
    await until(async () => (await room.engine.inspect(stubborn)).State.Status === 'exited');
    expect((await room.engine.inspect(stubborn)).RestartCount).toBe(2);
    await remove(stubborn);
  });
});

describe('what runs inside', () => {
  it('is confined as under Docker', async () => {
    const { output } = await run(
      shell(
        'grep -E "CapEff|Seccomp:|NoNewPrivs" /proc/self/status; echo 1 > /proc/sys/kernel/panic',
      ),
    );
    expect(output).toContain('CapEff:\t00000000a80425fb');
    expect(output).toContain('Seccomp:\t2');
    expect(output).toContain('Read-only file system');
  });

  it('runs as a user of the image, with its groups', async () => {
    expect((await run(shell('id -u; id -G', { User: 'web' }))).output).toBe('1000\n1001 4\n');
    expect((await run(shell('id -u; id -g', { User: '77:88' }))).output).toBe('77\n88\n');
    const id = await create(shell('true', { User: 'nobody-here' }));
    await expect(room.engine.start(id)).rejects.toThrow(
      'unable to find user nobody-here: no matching entries in passwd file',
    );
    await remove(id);
  });

  it('has its limits in force', async () => {
    const HostConfig = { Memory: 64 << 20, PidsLimit: 33, NanoCpus: 5e8, ReadonlyRootfs: true };
    const id = await create({ Cmd: ['sleep', '100'], HostConfig });
    await room.engine.start(id);
    const stats = (await room.engine.stats(id)) as {
      memory_stats: { limit: number };
      pids_stats: { limit: number };
    };
    expect(stats.memory_stats.limit).toBe(64 << 20);
    expect(stats.pids_stats.limit).toBe(33);
    expect((await exec(id, ['touch', '/x'])).output).toContain('Read-only file system');
    expect((await room.engine.top(id, '')).Processes.map((row) => row.at(-1))).toEqual([
      'sleep 100',
    ]);
    await remove(id);
  });

  it('has init as its first process when asked', async () => {
    const { output } = await run(shell('cat /proc/1/comm', { HostConfig: { Init: true } }));
    expect(output).toBe('docker-init\n');
  });

  it('is killed for memory, and that is noted', async () => {
    const id = await create(
      shell('x=a; while :; do x=$x$x; done', {
        HostConfig: { Memory: 16 << 20, MemorySwap: 16 << 20 },
      }),
    );
    const exit = room.engine.wait(id, 'next-exit');
    await room.engine.start(id);
    expect((await exit).StatusCode).toBe(137);
    expect((await room.engine.inspect(id)).State.OOMKilled).toBe(true);
    await remove(id);
  });
});

describe('mounts', () => {
  it('binds, and refuses a source that is not there', async () => {
    const source = join(room.root, 'shared');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'hello\n');
    const Binds = [`${source}:/shared:ro`];
    const { output } = await run(
      shell('cat /shared/file; touch /shared/x', { HostConfig: { Binds } }),
    );
    expect(output).toMatch(/^hello\n.*Read-only file system/);
    const Mounts = [{ Type: 'bind' as const, Source: '/not/there', Target: '/x' }];
    await expect(create({ HostConfig: { Mounts } })).rejects.toThrow(
      'invalid mount config for type "bind": bind source path does not exist: /not/there',
    );
  });

  it('fills a new volume from the image and keeps it', async () => {
    const HostConfig = { Binds: ['keep:/data'] };
    expect(
      (await run(shell('cat /data/seed; echo more >> /data/seed', { HostConfig }))).output,
    ).toBe('from the image\n');
    expect((await run(shell('cat /data/seed', { HostConfig }))).output).toBe(
      'from the image\nmore\n',
    );
    const user = await create({ HostConfig });
    await expect(room.engine.volumes.remove('keep', false)).rejects.toThrow(
      `remove keep: volume is in use - [${user}]`,
    );
    await remove(user);
    await room.engine.volumes.remove('keep', false);
  });

  it('mounts tmpfs and secrets, which never reach the disk', async () => {
    const data = Buffer.from('s3cret');
    const task: TaskExtras = {
      endpoints: [],
      files: [{ path: '/run/secrets/key', data, uid: 1000, gid: 0, mode: 0o400 }],
    };
    const line =
      'cat /run/secrets/key; stat -c " %u %a" /run/secrets/key; echo x > /run/secrets/key; df /scratch | tail -1';
    const { output } = await run(
      shell(line, { HostConfig: { Tmpfs: { '/scratch': 'size=1m' } } }),
      task,
    );
    expect(output).toMatch(/^s3cret 1000 400\ntmpfs\s+1024/);
    expect(output).toContain('Read-only file system');
  });
});

describe('streams', () => {
  it('carries input and output of an attached client', async () => {
    const id = await create({ Cmd: ['cat'], OpenStdin: true, StdinOnce: true });
    const options = { stdin: true, stdout: true, stderr: true, logs: false, stream: true };
    const session = await room.engine.attach(id, options);
    const text = textOf(session);
    await room.engine.start(id);
    await session.write(Buffer.from('round trip\n'));
    await session.closeInput();
    expect(await text).toBe('round trip\n');
    expect((await room.engine.wait(id, 'not-running')).StatusCode).toBe(0);
    await remove(id);
  });

  it('ends the input of a process whose client was done before it started', async () => {
    const id = await create({ Cmd: ['cat'], OpenStdin: true, StdinOnce: true });
    const options = { stdin: true, stdout: true, stderr: true, logs: false, stream: true };
    const session = await room.engine.attach(id, options);
    const sent = session.write(Buffer.from('early\n')).then(() => session.closeInput());
    await room.engine.start(id);
    await sent;
    expect(await textOf(session)).toBe('early\n');
    await remove(id);
  });

  it('loses nothing of a large output to a slow client', async () => {
    const id = await create(shell('seq 1 400000'));
    const options = { stdin: false, stdout: true, stderr: true, logs: false, stream: true };
    const session = await room.engine.attach(id, options);
    await room.engine.start(id);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const text = await textOf(session);
    expect(text.split('\n').length).toBe(400_001);
    expect(text.endsWith('400000\n')).toBe(true);
    await remove(id);
  });

  it('gives a terminal its size', async () => {
    const id = await create({ Cmd: ['sh'], Tty: true, OpenStdin: true });
    const options = { stdin: true, stdout: true, stderr: false, logs: false, stream: true };
    const session = await room.engine.attach(id, options);
    const text = textOf(session);
    await room.engine.start(id);
    await room.engine.resize(id, { height: 33, width: 77 });
    await session.write(Buffer.from('stty size; exit\n'));
    expect(await text).toContain('33 77');
    await remove(id);
  });

  it('runs further commands, with their codes', async () => {
    const id = await create({ Cmd: ['sleep', '100'] });
    await room.engine.start(id);
    expect(
      await exec(id, ['sh', '-c', 'echo $X; pwd; exit 5'], { Env: ['X=y'], WorkingDir: '/tmp' }),
    ).toEqual({
      code: 5,
      output: 'y\n/tmp\n',
    });
    expect((await exec(id, ['id', '-u'], { User: 'web' })).output).toBe('1000\n');
    const codes = Array.from({ length: 10 }, () => exec(id, ['sh', '-c', 'exit 5']));
    for (const { code } of await Promise.all(codes)) expect(code).toBe(5);
    const missing = await exec(id, ['nope']);
    expect(missing.code).toBe(127);
    expect(missing.output).toMatch(
      /^OCI runtime exec failed: exec failed: .*exec: "nope": executable file not found in \$PATH: unknown\r\n$/,
    );
    await remove(id);
  });

  it('follows a log across rotation until the end', async () => {
    const LogConfig = { Type: 'json-file', Config: { 'max-size': '20k', 'max-file': '2' } };
    const id = await create(
      shell('for i in $(seq 1 600); do echo "line $i"; done', { HostConfig: { LogConfig } }),
    );
    await room.engine.start(id);
    await room.engine.wait(id, 'not-running');
    const files = readdirSync(join(room.root, 'data/containers', id)).filter((name) =>
      name.includes('.log'),
    );
    expect(files.sort()).toEqual([`${id}-json.log`, `${id}-json.log.1`]);
    const options = { stdout: true, stderr: true, follow: false, tail: 2 };
    const lines: string[] = [];
    for await (const entry of room.engine.logs(id, options, AbortSignal.timeout(5000))) {
      lines.push(Buffer.from(entry.line).toString());
    }
    expect(lines).toEqual(['line 599\n', 'line 600\n']);
    await remove(id);
  });
});

describe('health', () => {
  it('becomes healthy, then unhealthy', async () => {
    const id = await create(
      shell('touch /ok; sleep 100', {
        Healthcheck: {
          Test: ['CMD-SHELL', 'test -e /ok'],
          Interval: 50e6,
          Timeout: 5e9,
          Retries: 2,
        },
      }),
    );
    await room.engine.start(id);
    const status = async () => (await room.engine.inspect(id)).State.Health?.Status;
    await until(async () => (await status()) === 'healthy');
    await exec(id, ['rm', '/ok']);
    await until(async () => (await status()) === 'unhealthy');
    const { Health } = (await room.engine.inspect(id)).State;
    expect(Health?.Log.at(-1)?.ExitCode).toBe(1);
    expect(events.some((event) => event.Action === 'health_status: unhealthy')).toBe(true);
    await remove(id);
  });
});

describe('a restart of the daemon', () => {
  it('takes over what runs, with its streams, and notes what ended', async () => {
    const lives = await create(
      shell('i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done'),
      'lives',
    );
    const dies = await create(shell('sleep 0.3; exit 9'), 'dies');
    await room.engine.start(lives);
    await room.engine.start(dies);
    const { Pid } = (await room.engine.inspect(lives)).State;
    await room.engine.close();
    await new Promise((resolve) => setTimeout(resolve, 600));
    const engine = await room.restart();
    expect((await engine.inspect('lives')).State).toMatchObject({ Running: true, Pid });
    expect((await engine.inspect('dies')).State).toMatchObject({ Status: 'exited', ExitCode: 9 });
    const before = (await logText(lives)).split('\n').length;
    await until(async () => (await logText(lives)).split('\n').length > before + 20);
    await engine.stop('lives', { timeoutSeconds: 0 });
    const numbers = (await logText(lives)).trim().split('\n').map(Number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    await remove(lives, dies);
  });

  it('loses no line when the daemon is killed', async () => {
    await room.engine.close();
    const [id = ''] = await killedWhenAll((one) => logBytes(one) > 100_000, ['counts']);
    const engine = await room.restart();
    expect((await engine.inspect('counts')).State.Running).toBe(true);
    const before = logBytes(id);
    await until(() => logBytes(id) !== before);
    await engine.stop('counts', { timeoutSeconds: 0 });
    const numbers = (await logText(id)).trim().split('\n').map(Number);
    const first = numbers[0] as number;
    expect(numbers.findIndex((number, index) => number !== first + index)).toBe(-1);
    await remove(id);
  });

  it('leaves no shim of what a killed daemon was starting', async () => {
    await room.engine.close();
    const { state } = containerdPaths(join(room.root, 'data'), join(room.root, 'exec'));
    const isMade = (id: string) =>
      existsSync(join(state, 'io.containerd.runtime.v2.task', NAMESPACE, id, 'init.pid'));
    const ids = await killedWhenAll(isMade, ['c1', 'c2', 'c3', 'c4', 'c5'], 'deaf');
    const engine = await room.restart();
    for (const id of ids) expect((await engine.inspect(id)).State.Status).toBe('created');
    await until(() => ids.flatMap(processesMentioning).length === 0);
    await remove(...ids);
  });

  it('clears what has no record', async () => {
    const { containerd } = room;
    const id = 'f'.repeat(64);
    await containerd.snapshots.prepare(id, `sha256:${'b'.repeat(64)}`, { 'skep.container': id });
    await containerd.containers.create({ id, spec: {}, snapshotKey: id });
    mkdirSync(join(room.root, 'exec/containers', id, 'io'), { recursive: true });
    await room.restart();
    expect(await containerd.containers.list()).toEqual([]);
    expect(existsSync(join(room.root, 'exec/containers', id))).toBe(false);
    await expect(containerd.snapshots.stat(id)).rejects.toThrow('not found');
  });

  it('notices after containerd was away', async () => {
    const id = await create({ Cmd: ['sleep', '100'] });
    await room.engine.start(id);
    const { Pid } = (await room.engine.inspect(id)).State;
    process.kill(room.supervisor.pid as number, 'SIGKILL');
    process.kill(Pid, 'SIGKILL');
    await until(async () => (await room.engine.inspect(id)).State.Status === 'exited');
    expect((await room.engine.inspect(id)).State.ExitCode).toBe(137);
    await remove(id);
  });
});
