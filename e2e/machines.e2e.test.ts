import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exec, must, until } from './support/exec.ts';
import { TestMachines } from './support/machines.ts';
import { sampleArchive } from './support/sample.ts';

const NAMES = ['mgr1', 'worker1', 'worker2'];
const IMAGE = 'skep/web:latest';

let machines: TestMachines;
let before: { routes: string[]; links: string[] };
let createdInMs: number;

/** Cables of other sets of machines come and go meanwhile. */
const OTHER_SET = /^(.* )?mach\S+( .*)?$/;

async function hostNetwork(): Promise<{ routes: string[]; links: string[] }> {
  const links = (await must('ip', ['-br', 'link'])).split('\n').map((line) => line.split(' ')[0]);
  const routes = (await must('ip', ['route'])).split('\n');
  const lasting = (lines: (string | undefined)[]) =>
    lines.filter((line) => line !== undefined && !OTHER_SET.test(line)) as string[];
  return { routes: lasting(routes), links: lasting(links) };
}

beforeAll(async () => {
  machines = new TestMachines();
  before = await hostNetwork();
  const startedMs = performance.now();
  await machines.create(NAMES);
  createdInMs = performance.now() - startedMs;
  await machines.docker('mgr1', 'load', '-q', '-i', sampleArchive());
});
afterAll(() => machines?.cleanUp());

/** Processes of the host whose root of namespaces is a machine's. */
function processesOf(pidNamespace: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/ns/pid`) === pidNamespace;
      } catch {
        return false; // ended meanwhile
      }
    });
}

/** What a machine gets from an HTTP server, within two seconds; empty when it gets nothing. */
async function fetchFrom(name: string, url: string): Promise<string> {
  return (await machines.sshResult(name, `curl -s --max-time 2 ${url}`)).stdout.trim();
}

describe('three machines', () => {
  it('are made in seconds', () => {
    expect(createdInMs).toBeLessThan(15_000);
  });

  it('have their names, addresses and engines', async () => {
    const listed = await machines.run('ls');
    expect(listed.split('\n')[0]).toMatch(
      /^NAME +ACTIVE +DRIVER +STATE +URL +SWARM +DOCKER +ERRORS$/,
    );
    for (const name of NAMES) {
      expect(listed).toMatch(new RegExp(`^${name} +- +netns +Running +unix:///`, 'm'));
      expect(await machines.docker(name, 'info', '-f', '{{.Name}}')).toBe(name);
      expect(await machines.ssh(name, 'hostname; cat /etc/hostname')).toBe(`${name}\n${name}`);
      expect(await machines.address(name)).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    }
    expect(await machines.run('ls', '-q')).toBe(NAMES.join('\n'));
  });

  it('reach each other by address and by name, and the host reaches them', async () => {
    await machines.docker('mgr1', 'run', '-d', '--name', 'reach', '-p', '8081:80', IMAGE);
    const address = await machines.address('mgr1');
    for (const name of ['worker1', 'worker2']) {
      expect(await fetchFrom(name, `http://${address}:8081/`)).toContain('Hello from');
      expect(await fetchFrom(name, 'http://mgr1:8081/')).toContain('Hello from');
    }
    const fromHost = await exec('curl', ['-s', '--max-time', '2', `http://${address}:8081/`]);
    expect(fromHost.stdout).toContain('Hello from');
    await machines.docker('mgr1', 'rm', '-f', 'reach');
  });

  it("leave the host's network as it was but for a cable and its route", async () => {
    expect(await hostNetwork()).toEqual(before);
    const subnet = (await machines.address('mgr1')).replace(/\d+$/, '0/24');
    const routes = await must('ip', ['route', 'show', 'root', subnet]);
    expect(routes).toMatch(/^192\.168\.\d+\.0\/24 dev mach[0-9a-f]{8} proto kernel [^\n]*\n$/);
  });

  it('do not see what the others run', async () => {
    await machines.docker('mgr1', 'run', '-d', '--name', 'lonely', IMAGE);
    expect(await machines.docker('mgr1', 'ps', '-q')).not.toBe('');
    expect(await machines.docker('worker1', 'ps', '-aq')).toBe('');
    expect(await machines.ssh('worker1', 'ps ax')).not.toContain('httpd');
    await machines.docker('mgr1', 'rm', '-f', 'lonely');
  });

  it("see the host's files, and have /run/skep and the data root to themselves", async () => {
    expect(await machines.ssh('worker1', `cat ${import.meta.filename}`)).toContain('see the host');
    await machines.ssh('worker1', 'touch /run/skep/mark /var/lib/skep/mark');
    const missing = await machines.sshResult('worker2', 'ls /run/skep/mark /var/lib/skep/mark');
    expect(missing.code).not.toBe(0);
    expect(existsSync('/run/skep/mark') || existsSync('/var/lib/skep/mark')).toBe(false);
  });

  it('refuse what lies outside at once, names too', async () => {
    const startedMs = performance.now();
    const name = await machines.sshResult('worker1', 'getent hosts nowhere.example');
    const address = await machines.sshResult('worker1', 'curl -s --max-time 20 http://9.9.9.9/');
    expect([name.code, address.code]).toEqual([2, 7]);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });
});

describe('ssh', () => {
  it('gives the exit code, and standard input to the command', async () => {
    expect((await machines.sshResult('worker1', 'exit 7')).code).toBe(7);
    expect((await machines.sshResult('worker1', 'kill -9 $$')).code).toBe(137);
    const piped = await machines.result(['ssh', 'worker1'], { input: 'hostname\n' });
    expect(piped.stdout).toBe('worker1\n');
  });

  it('takes words as they come, flags included', async () => {
    const words = ['ssh', 'mgr1', 'docker', 'info', '-f', '{{.Name}}'];
    expect(await machines.run(...words)).toBe('mgr1');
  });
});

describe('env', () => {
  it("points a client on the host at the machine's engine", async () => {
    const lines = (await machines.run('env', 'worker1')).split('\n');
    expect(lines[0]).toBe(`export DOCKER_HOST=unix://${machines.socket('worker1')}`);
    const env = { ...process.env, DOCKER_HOST: `unix://${machines.socket('worker1')}` };
    expect((await exec('docker', ['info', '-f', '{{.Name}}'], { env })).stdout).toBe('worker1\n');
  });
});

describe('a machine whose cable is pulled', () => {
  it('runs on, alone, until it is plugged in', async () => {
    const run = ['run', '-d', '--name', 'alone', '-p', '8082:80', IMAGE];
    await machines.docker('mgr1', ...run);
    const url = `http://${await machines.address('mgr1')}:8082/`;
    await machines.disconnect('mgr1');
    expect(await fetchFrom('worker1', url)).toBe('');
    expect(await fetchFrom('mgr1', url)).toContain('Hello from');
    expect(await machines.docker('mgr1', 'ps', '-q', '-f', 'name=alone')).not.toBe('');
    expect(await machines.run('ls')).toMatch(/^mgr1 .* disconnected$/m);
    await machines.connect('mgr1');
    expect(await fetchFrom('worker1', url)).toContain('Hello from');
    await machines.docker('mgr1', 'rm', '-f', 'alone');
  });
});

describe('a machine that is killed', () => {
  it('loses every process at once, keeps its disk, and starts again', async () => {
    const run = ['run', '-d', '--name', 'web', '--restart', 'always', '-p', '8083:80', IMAGE];
    await machines.docker('mgr1', ...run);
    await machines.docker('mgr1', 'exec', 'web', 'sh', '-c', 'echo kept > /kept; sync');
    const inContainer = Number(
      await machines.docker('mgr1', 'inspect', '-f', '{{.State.Pid}}', 'web'),
    );
    expect(inContainer).toBeGreaterThan(1);
    const pid = await machines.pid('mgr1');
    const pidNamespace = readlinkSync(`/proc/${pid}/ns/pid`);
    expect(processesOf(pidNamespace).length).toBeGreaterThan(4);

    await machines.kill('mgr1');
    expect(processesOf(pidNamespace)).toEqual([]);
    expect(mentioning(machines.storage)).toEqual(mentioning(`${machines.storage}/worker`));
    expect(await machines.run('status', 'mgr1')).toBe('Stopped');
    expect(await machines.fails('ssh', 'mgr1', 'true')).toContain('Host is not running');
    expect(await machines.fails('ip', 'mgr1')).toContain('Host is not running');

    await machines.start('mgr1');
    expect(await machines.pid('mgr1')).not.toBe(pid);
    await until(
      () => fetchFrom('worker1', 'http://mgr1:8083/'),
      (text) => text.startsWith('Hello from'),
    );
    expect(await machines.docker('mgr1', 'exec', 'web', 'cat', '/kept')).toBe('kept');
    await machines.docker('mgr1', 'rm', '-f', 'web');
  });
});

/** Processes of the host that name a path. */
function mentioning(path: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(path);
    } catch {
      return false; // ended meanwhile
    }
  });
}

describe('a machine that is stopped', () => {
  it('gives its containers their stop signal and time to end', async () => {
    const script = 'trap "echo bye > /said; exit 0" INT; while true; do sleep 0.1; done';
    const flags = ['--name', 'polite', '--stop-signal', 'SIGINT'];
    await machines.docker('mgr1', 'run', '-d', ...flags, IMAGE, 'sh', '-c', script);
    const pidNamespace = readlinkSync(`/proc/${await machines.pid('mgr1')}/ns/pid`);
    await machines.stop('mgr1');
    expect(processesOf(pidNamespace)).toEqual([]);
    await machines.start('mgr1');
    await machines.docker('mgr1', 'start', 'polite');
    expect(await machines.docker('mgr1', 'exec', 'polite', 'cat', '/said')).toBe('bye');
    await machines.docker('mgr1', 'rm', '-f', 'polite');
  });
});

describe('an engine that dies by itself', () => {
  it('is started again, with its containers running on', async () => {
    await machines.docker('mgr1', 'run', '-d', '--name', 'steady', IMAGE);
    await machines.ssh('mgr1', 'kill -9 $(cat /var/lib/skep/skepd.lock)');
    const state = () =>
      machines.dockerResult('mgr1', ['inspect', '-f', '{{.State.Running}}', 'steady']);
    await until(state, ({ stdout }) => stdout === 'true\n');
    await machines.docker('mgr1', 'rm', '-f', 'steady');
  });
});

describe('bad input', () => {
  it('is refused in words', async () => {
    expect(await machines.fails('create', 'mgr1')).toBe('Docker machine "mgr1" already exists');
    expect(await machines.fails('create', 'a_b')).toContain('Invalid hostname specified');
    expect(await machines.fails('create', 'new', '-d', 'amazonec2')).toContain('not found');
    expect(await machines.fails('create', 'new', '--engine', 'podman')).toContain('use one of');
    expect(await machines.fails('rm', '-f', 'nobody')).toContain('"nobody" does not exist');
    expect(await machines.fails('ssh', 'nobody', 'true')).toContain('does not exist');
    expect(await machines.fails('create')).toContain("missing required argument 'name'");
  });

  it('in a flag of the engine undoes the creation, and shows why', async () => {
    const text = await machines.fails('create', 'broken', '--engine-opt', 'log-level=loud');
    expect(text).toContain('skepd of machine "broken" does not start');
    expect(text).toContain('invalid logging level: loud');
    expect(await machines.run('ls', '-q')).toBe(NAMES.join('\n'));
  });
});

describe("a machine with Docker's engine", () => {
  it('is one like the others', async () => {
    await machines.create(['docker1'], ['--engine', 'dockerd']);
    expect(await machines.docker('docker1', 'info', '-f', '{{.Name}}')).toBe('docker1');
    expect(await machines.docker('docker1', 'version', '-f', '{{.Server.Version}}')).toMatch(/^20/);
    await machines.docker('docker1', 'load', '-q', '-i', sampleArchive());
    await machines.docker('docker1', 'run', '-d', '-p', '8084:80', IMAGE);
    expect(await fetchFrom('worker1', 'http://docker1:8084/')).toContain('Hello from');
    await machines.run('rm', '-f', 'docker1');
  });
});

describe('removal', () => {
  it('leaves nothing, whatever ran', async () => {
    const id = await machines.docker('mgr1', 'run', '-d', '--restart', 'always', IMAGE);
    const subnet = (await machines.address('mgr1')).replace(/\d+$/, '0/24');
    const namespaces = await Promise.all(
      NAMES.map(async (name) => readlinkSync(`/proc/${await machines.pid(name)}/ns/pid`)),
    );
    await machines.run('rm', '-f', '--all');
    expect(namespaces.flatMap(processesOf)).toEqual([]);
    expect(await hostNetwork()).toEqual(before);
    expect(await must('ip', ['route', 'show', 'root', subnet])).toBe('');
    const digest = createHash('sha256').update(machines.storage).digest('hex').slice(0, 8);
    const named = (await must('ip', ['netns'])) + (await must('ip', ['link']));
    expect(named).not.toContain(digest);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(machines.storage);
    const hierarchies = readdirSync('/sys/fs/cgroup');
    const cgroups = hierarchies.map((name) => `/sys/fs/cgroup/${name}/skep/${id}`);
    expect(cgroups.filter(existsSync)).toEqual([]);
    expect(readdirSync(machines.storage)).toEqual([]);
  });
});
