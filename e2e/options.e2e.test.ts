import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { until } from './support/exec.ts';
import { IMAGE } from './support/sample.ts';
import { containerOf, startNode, tasksOf } from './support/swarm.ts';

/**
 * What stands in a container, as the process of a task finds it. Limits are process 1's: those of an exec
 * may be changed by its Go runtime after runc before 1.1.13 has set them (runc issue 4195).
 */
const LOOK = [
  'grep CapBnd /proc/1/status',
  `awk '/open files/ { print $4; print $5 }' /proc/1/limits`,
  'cat /proc/sys/net/core/somaxconn /proc/1/oom_score_adj',
  'id -G; cat /etc/resolv.conf; grep 10.9 /etc/hosts; hostname; pwd',
  'env | grep -E "^(A|B|FILE|DOCKER_RESOURCE_[A-Z]+)=" | sort',
  'touch /x 2>&1; cat /proc/1/comm',
].join(';');

const CREATE = [
  ...['--cap-add', 'SYS_PTRACE', '--cap-drop', 'CHOWN', '--ulimit', 'nofile=100:200'],
  ...['--sysctl', 'net.core.somaxconn=77', '--init', '--oom-score-adj', '300', '--group', '77'],
  ...['--dns', '10.1.1.1', '--dns-search', 'a.b', '--dns-option', 'ndots:3'],
  ...['--host', 'foo:10.9.0.1', '--hostname', '{{.Service.Name}}-{{.Task.Slot}}'],
  ...['-e', 'A=1', '--workdir', '/tmp', '--read-only', '--generic-resource', 'gpu=1'],
  ...['--stop-signal', 'SIGUSR1', '--stop-grace-period', '1s', '--tty', '--limit-pids', '50'],
  ...['--health-cmd', 'true', '--health-interval', '1s', '--health-timeout', '1s'],
  ...['--health-retries', '4', '--health-start-period', '1s', '--health-start-interval', '100ms'],
  ...['--container-label', 'tier=x', '--update-monitor', '100ms', '--isolation', 'default'],
];

const UPDATE = [
  ...['--cap-add', 'CHOWN', '--cap-drop', 'SYS_PTRACE', '--ulimit-add', 'nofile=110:210'],
  ...['--sysctl-add', 'net.core.somaxconn=78', '--oom-score-adj', '200', '--read-only=false'],
  ...['--group-add', '88', '--group-rm', '77', '--dns-add', '10.1.1.2', '--dns-rm', '10.1.1.1'],
  ...['--dns-search-add', 'c.d', '--dns-search-rm', 'a.b'],
  ...['--dns-option-add', 'ndots:4', '--dns-option-rm', 'ndots:3'],
  ...['--host-add', 'bar:10.9.0.2', '--host-rm', 'foo:10.9.0.1', '--env-add', 'B=2'],
  ...['--env-rm', 'A', '--no-healthcheck', '--container-label-add', 'k=v'],
  ...['--container-label-rm', 'tier', '--generic-resource-rm', 'gpu', '--init=false'],
];

describe('options of containers', () => {
  const directory = mkdtempSync(join(tmpdir(), 'skep-options-'));
  let node: TestDaemon;
  beforeAll(async () => {
    node = await startNode({ flags: ['--node-generic-resource', 'gpu=uuid1'] });
  });
  afterAll(async () => {
    await node?.cleanUp();
    rmSync(directory, { recursive: true, force: true });
  });

  const inspect = async (id: string) => JSON.parse(await node.docker('inspect', id))[0];
  const pretty = () => node.docker('service', 'inspect', '--pretty', 'web');

  it('of a service reach its processes, and change with it', async () => {
    const envFile = join(directory, 'env');
    writeFileSync(envFile, 'FILE=1\n');
    await node.docker(
      ...['service', 'create', '-d', '--no-resolve-image', '--name', 'web', ...CREATE],
      ...['--env-file', envFile, '--entrypoint', 'sleep', IMAGE, '1000'],
    );
    const first = await containerOf(node, 'web');
    expect((await node.docker('exec', first, 'sh', '-c', LOOK)).split('\n')).toEqual([
      'CapBnd:\t00000000a80c25fa',
      ...['100', '200', '77', '300', '0 77'],
      ...['nameserver 10.1.1.1', 'search a.b', 'options ndots:3', '10.9.0.1\tfoo', 'web-1', '/tmp'],
      ...['A=1', 'DOCKER_RESOURCE_GPU=uuid1', 'FILE=1'],
      ...['touch: /x: Read-only file system', 'docker-init'],
    ]);
    const { Config, HostConfig } = await inspect(first);
    expect(Config).toMatchObject({ StopSignal: 'SIGUSR1', Tty: true, Labels: { tier: 'x' } });
    expect(Config.Healthcheck).toEqual({
      ...{ Test: ['CMD-SHELL', 'true'], Interval: 1e9, Timeout: 1e9, Retries: 4 },
      ...{ StartPeriod: 1e9, StartInterval: 1e8 },
    });
    expect(HostConfig.PidsLimit).toBe(50);
    expect(await pretty()).toMatch(/Add: CAP_SYS_PTRACE\n Drop: CAP_CHOWN/);
    await node.docker('service', 'update', '-d', '--no-resolve-image', ...UPDATE, 'web');
    const second = await until(
      () => containerOf(node, 'web'),
      (id) => id !== first,
    );
    expect((await node.docker('exec', second, 'sh', '-c', LOOK)).split('\n')).toEqual([
      'CapBnd:\t00000000a80425fb',
      ...['110', '210', '78', '200', '0 88'],
      ...['nameserver 10.1.1.2', 'search c.d', 'options ndots:4', '10.9.0.2\tbar', 'web-1', '/tmp'],
      ...['B=2', 'FILE=1', 'sleep'],
    ]);
    const updated = (await inspect(second)).Config;
    expect(updated.Healthcheck.Test).toEqual(['NONE']);
    expect([updated.Labels.k, updated.Labels.tier]).toEqual(['v', undefined]);
    expect(await pretty()).toMatch(/net.core.somaxconn: 78\nUlimits:\n nofile: 110:210/);
    await node.docker('service', 'rm', 'web');
  });

  /** Creates a service through the API, with what clients have no flags for. */
  const createByApi = (Name: string, ContainerSpec: object, Resources = {}) => {
    const container = { Image: IMAGE, Command: ['sleep', '1000'], ...ContainerSpec };
    const RestartPolicy = { Condition: 'none' };
    const TaskTemplate = { ContainerSpec: container, Resources, RestartPolicy };
    return node.request('POST', '/services/create', JSON.stringify({ Name, TaskTemplate }));
  };

  it('that only the API has confine its processes, and limit their swap', async () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
    };
    const Profile = Buffer.from(JSON.stringify(profile)).toString('base64');
    const Privileges = {
      Seccomp: { Mode: 'custom', Profile },
      AppArmor: { Mode: 'disabled' },
      SELinuxContext: { Disable: true },
      NoNewPrivileges: true,
    };
    const swap = { Limits: { MemoryBytes: 2 ** 26 }, SwapBytes: 2 ** 20, MemorySwappiness: 7 };
    expect((await createByApi('api', { Privileges }, swap)).status).toBe(201);
    const id = await containerOf(node, 'api');
    expect(await node.docker('exec', id, 'grep', 'NoNewPrivs', '/proc/1/status')).toBe(
      'NoNewPrivs:\t1',
    );
    const { stderr } = await node.dockerResult(['exec', id, 'mkdir', '/x']);
    expect(stderr).toContain("can't create directory '/x': Operation not permitted");
    const { HostConfig } = await inspect(id);
    expect(HostConfig).toMatchObject({ MemorySwap: 2 ** 26 + 2 ** 20, MemorySwappiness: 7 });
    await node.docker('service', 'rm', 'api');
  });

  it.each<[string, object, string]>([
    ['sel', { Privileges: { SELinuxContext: { Type: 'x' } } }, 'SELinux is not supported'],
    ['iso', { Isolation: 'hyperv' }, 'Invalid isolation: "hyperv" - linux only supports'],
    ['cred', { Privileges: { CredentialSpec: { File: 'x' } } }, 'on Windows only'],
    ['sys', { Sysctls: { 'kernel.pid_max': '99' } }, 'not in a separate kernel namespace'],
    ['cap', { CapabilityAdd: ['CAP_FOO'] }, 'invalid capability: "CAP_FOO"'],
    ['oom', { OomScoreAdj: 2000 }, 'range for oom score adj is [-1000, 1000]'],
  ])('of a service that cannot be are the error of its task: %s', async (name, spec, text) => {
    expect((await createByApi(name, spec)).status).toBe(201);
    const [task] = await until(
      () => tasksOf(node, name),
      (tasks) => tasks.some(({ Status }) => /^(rejected|failed)$/.test(Status.State)),
    );
    expect(task?.Status.Err).toContain(text);
    await node.docker('service', 'rm', name);
  });

  it('of a container are done', async () => {
    const run = (...args: string[]) => node.docker('run', '--rm', ...args);
    expect(await run('--ulimit', 'core=-1:-1', IMAGE, 'sh', '-c', 'ulimit -c')).toBe('unlimited');
    expect(await run('--cgroupns', 'private', IMAGE, 'cat', '/proc/1/cgroup')).toMatch(/:\/\n/);
    expect(await run('--platform', 'linux', '--userns', 'host', IMAGE, 'id', '-u')).toBe('0');
    const host = (await node.inside('hostname')).stdout.trim();
    expect(await run('--uts', 'host', '--annotation', 'a=b', IMAGE, 'hostname')).toBe(host);
  });

  it.each([
    [['--mac-address', '02:42:ac:11:00:99'], '--mac-address is not supported by this engine'],
    [['--security-opt', 'apparmor=x'], 'AppArmor is not enabled on this machine'],
    [['--security-opt', 'label=type:x'], 'SELinux is not supported by this engine'],
    [['--isolation', 'hyperv'], 'Invalid isolation: "hyperv" - linux only supports'],
    [['--cap-add', 'foo'], 'invalid capability: "CAP_FOO"'],
    [
      ['--pull', 'never', '--platform', 'linux/s390x'],
      `image with reference ${IMAGE} was found but does not provide the specified platform`,
    ],
  ])('of a container that cannot be are refused: %j', async (flags, text) => {
    expect(await node.dockerFails('run', '--rm', ...flags, IMAGE, 'true')).toContain(text);
  });
});
