import { beforeEach, describe, expect, it } from 'vitest';
import { SimContext } from '../context.sim.js';
import { runCli } from '../program.js';

let context: SimContext;

beforeEach(async () => {
  context = new SimContext();
  await context.host.boot('first');
});

/** Runs `skep machine …`; resolves with its exit code and what this run alone has printed. */
async function machine(line: string): Promise<{ code: number; out: string; err: string }> {
  context.output = '';
  context.errors = '';
  const code = await runCli(context, ['machine', ...line.split(' ')]);
  return { code, out: context.output, err: context.errors };
}

async function ok(line: string): Promise<string> {
  const { code, out, err } = await machine(line);
  expect(err).toBe('');
  expect(code).toBe(0);
  return out;
}

async function refused(line: string): Promise<string> {
  const { code, err } = await machine(line);
  expect(code).toBe(1);
  return err;
}

describe('skep machine create', () => {
  it('makes several, and says where they are', async () => {
    const out = await ok('create mgr1 worker1');
    expect(out).toMatch(/\(mgr1\) Machine is up and running skepd, at 192\.168\.99\.10[01]\n/);
    expect(out).toContain('run: skep machine env mgr1');
    expect(await ok('ls -q')).toBe('mgr1\nworker1\n');
  });

  it("takes what tutorials type: docker-machine's drivers of the host at hand", async () => {
    const { code, err } = await machine('create --driver virtualbox v1');
    expect([code, err]).toEqual([0, expect.stringContaining('netns makes it')]);
    expect(await refused('create -d amazonec2 v2')).toContain('Driver "amazonec2" not found');
  });

  it('hands flags to the engine', async () => {
    await ok('create one --engine-opt log-level=debug --engine-label disk=ssd');
    const { engineFlags } = JSON.parse(await ok('inspect one'));
    expect(engineFlags).toEqual(['--log-level=debug', '--label=disk=ssd']);
    expect(await refused('create two --engine none --engine-opt x=y')).toContain('takes no engine');
    expect(await refused('create two --engine podman')).toContain('skepd, dockerd, none');
  });

  it('does not let one that fails keep the others from being made', async () => {
    await ok('create one');
    const { code, out, err } = await machine('create one two');
    expect([code, err]).toEqual([1, 'Docker machine "one" already exists\n']);
    expect(out).toContain('(two) Machine is up');
  });

  it('needs root', async () => {
    context.isRoot = false;
    expect(await refused('ls')).toContain('needs root');
  });
});

describe('skep machine ls', () => {
  it("has docker-machine's columns, and a star at the active one", async () => {
    await ok('create one');
    await ok('create two');
    await ok('stop two');
    context.env['DOCKER_HOST'] = (await ok('url one')).trim();
    expect((await ok('ls')).replace(/ +/g, ' ')).toBe(
      'NAME ACTIVE DRIVER STATE URL SWARM DOCKER ERRORS\n' +
        'one * netns Running unix:///run/skep/machines/one/skep.sock v1.2.3\n' +
        'two - netns Stopped\n',
    );
    expect(await ok('active')).toBe('one\n');
    expect(await ok('status one two')).toBe('Running\nStopped\n');
  });

  it('keeps sets of different storage apart', async () => {
    await ok('create one');
    expect(await ok('-s /elsewhere ls -q')).toBe('');
    context.env['SKEP_MACHINE_STORAGE_PATH'] = '/elsewhere';
    expect(await ok('ls -q')).toBe('');
  });
});

describe('skep machine env', () => {
  it('prints what a shell evaluates', async () => {
    await ok('create one');
    expect((await ok('env one')).split('\n')).toEqual([
      'export DOCKER_HOST=unix:///run/skep/machines/one/skep.sock',
      'export DOCKER_MACHINE_NAME=one',
      '# Run this command to configure your shell:',
      '# eval $(skep machine env one)',
      '',
    ]);
    expect(await ok('env -u')).toContain('unset DOCKER_HOST\n');
    expect(await refused('env')).toContain('Expected one machine name');
  });
});

describe('skep machine ssh', () => {
  it('passes words on as they are, and the exit code back', async () => {
    await ok('create one');
    context.exitCode = 5;
    const { code } = await machine('ssh one docker service create --name web -p 80:80 nginx');
    expect(code).toBe(5);
    const { command, args } = context.ran[0] ?? { args: [] };
    expect(command).toBe('nsenter');
    expect(args.at(-1)).toBe('docker service create --name web -p 80:80 nginx');
    await machine('ssh one -- ls --help');
    expect(context.ran[1]?.args.at(-1)).toBe('ls --help');
  });

  it('refuses a machine that does not run', async () => {
    await ok('create one');
    await ok('kill one');
    expect(await refused('ssh one date')).toContain('Host is not running');
    expect(await refused('ssh two date')).toContain('"two" does not exist');
  });
});

describe('skep machine rm', () => {
  it('asks, unless it is told not to', async () => {
    await ok('create one two');
    context.answer = 'n';
    expect(await ok('rm one')).toContain('Are you sure? (y/n): ');
    expect(await ok('ls -q')).toBe('one\ntwo\n');
    context.answer = 'y';
    expect(await ok('rm one')).toContain('Successfully removed one');
    expect(await ok('rm -f --all')).toBe('Successfully removed two\n');
    expect(await ok('rm -f --all')).toBe('');
    expect(await refused('rm -f')).toContain('Expected a machine name');
    expect(await refused('rm -f one')).toContain('does not exist');
  });
});
