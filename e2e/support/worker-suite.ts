import { expect, it } from 'vitest';
import { inspect, shell } from './docker-engine.ts';
import { until } from './exec.ts';
import { IMAGE } from './sample.ts';
import { IDLE, PATIENCE_MS } from './swarm-view.ts';
import { on, type Scene } from './worker-life.ts';

/** Tests of what a manager has a worker do; the manager is a worker as well. */
export function testTasks(scene: () => Scene): void {
  testSettings(scene);
  testModes(scene);
  testHealth(scene);
  testFailures(scene);
  testLogs(scene);
  testAvailability(scene);
}

/** The worker's one container of a service with one task. */
async function containerOf({ swarm }: Scene, service: string): Promise<string> {
  const [id = ''] = await swarm.containerIds(service, 1);
  return id;
}

/** Creates a secret or a config. */
async function createFile({ machines, swarm }: Scene, kind: string, name: string, input: string) {
  const { stderr } = await machines.dockerResult(swarm.manager, [kind, 'create', name, '-'], {
    input,
  });
  expect(stderr).toBe('');
}

function testSettings(scene: () => Scene): void {
  it('runs tasks with secrets, configs and mounts, as many as were asked for', async () => {
    const { machines, swarm, worker } = scene();
    await createFile(scene(), 'secret', 'key', 's3cret');
    await createFile(scene(), 'config', 'conf', 'x=1');
    await swarm.create(
      ...['--name', 'files', '--replicas', '2', ...on(scene())],
      ...['--secret', 'source=key,target=my.key,uid=65534,mode=0400'],
      ...['--config', 'source=conf,target=/etc/app.conf'],
      ...['--mount', 'type=tmpfs,target=/scratch,tmpfs-size=1048576'],
      ...['--mount', 'type=volume,source=data-{{.Task.Slot}},target=/data'],
      ...['--mount', 'type=bind,source=/etc,target=/host,readonly'],
      ...['--env', 'WHERE={{.Node.Hostname}}', '--label', 'team=a', '--container-label', 'tier=b'],
      ...['--hostname', 'h{{.Task.Slot}}', '--user', 'nobody', '--workdir', '/tmp', ...IDLE],
    );
    for (const { ID, Slot, Status } of await swarm.running('files', 2)) {
      const id = Status.ContainerStatus?.ContainerID ?? '';
      const inside = (command: string) => shell(machines, worker, id, command);
      expect(await inside('cat /run/secrets/my.key /etc/app.conf; pwd')).toBe('s3cretx=1/tmp');
      expect(await inside('stat -c "%u %a" /run/secrets/my.key')).toBe('65534 400');
      const mounts = await inside('mount');
      expect(mounts).toMatch(/^tmpfs on \/run\/secrets/m);
      expect(mounts).toMatch(/^tmpfs on \/scratch .*1024k/m);
      expect(await inside('cat /host/hostname; hostname')).toBe(`${worker}\nh${Slot}`);
      const container = await inspect(machines, worker, id);
      expect(container.Name).toBe(`/files.${Slot}.${ID}`);
      expect(container.Config.Env).toContain(`WHERE=${worker}`);
      expect(container.Config.Labels).toMatchObject({
        tier: 'b',
        'com.docker.swarm.task.id': ID,
        'com.docker.swarm.task.name': `files.${Slot}.${ID}`,
        'com.docker.swarm.service.name': 'files',
      });
      const volume = await machines.docker(worker, 'volume', 'ls', '-q', '-f', `name=data-${Slot}`);
      expect(volume).toBe(`data-${Slot}`);
    }
    await swarm.remove('files');
  });

  it('keeps tasks within their limits', async () => {
    const { machines, swarm, worker } = scene();
    const limits = ['--limit-memory', '48M', '--limit-cpu', '0.5', '--limit-pids', '40'];
    const more = ['--cap-drop', 'NET_RAW', '--ulimit', 'nofile=512:1024', '--init', '--read-only'];
    await swarm.create('--name', 'small', ...on(scene()), ...limits, ...more, ...IDLE);
    const id = await containerOf(scene(), 'small');
    const container = await inspect(machines, worker, id);
    expect(container.HostConfig).toMatchObject({
      Memory: 48 * 2 ** 20,
      NanoCpus: 5e8,
      PidsLimit: 40,
      CapDrop: [expect.stringMatching(/NET_RAW/)],
      Ulimits: [{ Name: 'nofile', Soft: 512, Hard: 1024 }],
      Init: true,
      ReadonlyRootfs: true,
    });
    const files = 'memory/memory.limit_in_bytes memory.max';
    const command = `cd /sys/fs/cgroup; cat ${files} 2>/dev/null || true`;
    expect(await shell(machines, worker, id, command)).toBe(String(48 * 2 ** 20));
    await swarm.remove('small');
  });
}

function testModes(scene: () => Scene): void {
  it('runs one task of a global service, and updates it', async () => {
    const { machines, swarm, worker } = scene();
    const policy = ['--update-order', 'start-first', '--update-delay', '0s'];
    await swarm.create('--name', 'all', '--mode', 'global', ...on(scene()), ...policy, ...IDLE);
    const before = await containerOf(scene(), 'all');
    await swarm.update('--env-add', 'NEW=1', 'all');
    const after = await until(
      () => containerOf(scene(), 'all'),
      (id) => id !== before,
    );
    expect((await inspect(machines, worker, after)).Config.Env).toContain('NEW=1');
    await swarm.remove('all');
  });

  it('brings a job to its end, and again when it is updated', async () => {
    const { swarm } = scene();
    const job = ['--mode', 'replicated-job', '--replicas', '3', '--max-concurrent', '2'];
    await swarm.create('--name', 'job', ...job, ...on(scene()), IMAGE, 'true');
    const progress = () => swarm.docker('service', 'ls', '--format', '{{.Replicas}}');
    const isDone = (text: string) => text === '0/2 (3/3 completed)';
    await until(progress, isDone, PATIENCE_MS);
    await swarm.update('--force', 'job');
    const columns = '{{.CurrentState}}';
    await until(
      () => swarm.docker('service', 'ps', '--format', columns, 'job'),
      (states) => states.split('\n').filter((state) => state.startsWith('Complete')).length === 6,
      PATIENCE_MS,
    );
    expect(await progress()).toBe('0/2 (3/3 completed)');
    // Docker Engine 20.10 keeps what ended of a job that is removed, so nobody waits for that.
    await swarm.docker('service', 'rm', 'job');
  });
}

function testHealth(scene: () => Scene): void {
  it('tells when a task is healthy, and ends one that is not', async () => {
    const { machines, swarm, worker } = scene();
    const often = ['--health-interval', '200ms', '--health-retries', '2'];
    const check = ['--health-cmd', 'test ! -e /tmp/ill', ...often];
    const policy = ['--restart-delay', '0s'];
    await swarm.create('--name', 'checked', ...on(scene()), ...check, ...policy, ...IDLE);
    const id = await containerOf(scene(), 'checked');
    expect((await inspect(machines, worker, id)).State.Health?.Status).toBe('healthy');
    await shell(machines, worker, id, 'touch /tmp/ill');
    const failed = await swarm.ended('checked', 'failed');
    expect(failed.Status.Err).toMatch(/unhealthy container/);
    expect(await containerOf(scene(), 'checked')).not.toBe(id);
    await swarm.remove('checked');
  });
}

function testFailures(scene: () => Scene): void {
  it('says why a task failed or cannot run, and gets another', async () => {
    const { swarm, worker } = scene();
    const policy = ['--restart-delay', '0s', '--restart-max-attempts', '1'];
    const common = [...on(scene()), ...policy];
    await swarm.create('--name', 'exits', ...common, IMAGE, 'sh', '-c', 'exit 3');
    await swarm.create('--name', 'no-program', ...common, IMAGE, 'nothing');
    await swarm.create('--name', 'no-image', ...common, 'nowhere/none:latest');
    const missing = 'type=bind,source=/nowhere/at/all,target=/x';
    await swarm.create('--name', 'no-source', ...common, '--mount', missing, ...IDLE);

    const exited = await swarm.ended('exits', 'failed');
    expect(exited.Status).toMatchObject({
      Err: 'task: non-zero exit (3)',
      ContainerStatus: { ExitCode: 3 },
    });
    expect((await swarm.ended('no-program', 'failed')).Status.Err).toMatch(
      /starting container failed: .*exec: "nothing": executable file not found/,
    );
    expect((await swarm.ended('no-image', 'rejected')).Status.Err).toMatch(
      /No such image: nowhere\/none:latest/,
    );
    expect((await swarm.ended('no-source', 'rejected')).Status.Err).toMatch(
      /bind source path does not exist: \/nowhere\/at\/all/,
    );
    for (const service of ['exits', 'no-program', 'no-image', 'no-source']) {
      const all = await until(
        () => swarm.tasks(service),
        // The second may have just been made, and have no node yet.
        (tasks) => tasks.length === 2 && tasks.every(({ NodeID }) => NodeID),
      );
      expect(all.map(({ NodeID }) => NodeID)).toEqual([exited.NodeID, exited.NodeID]);
    }
    const columns = '{{.Name}}/{{.Node}}/{{.DesiredState}}/{{.CurrentState}}/{{.Error}}';
    const listed = await swarm.docker('service', 'ps', '--no-trunc', '--format', columns, 'exits');
    expect(listed).toMatch(
      new RegExp(`^\\S*exits\\.1/${worker}/Shutdown/Failed .*/"task: non-zero exit \\(3\\)"$`, 'm'),
    );
    await swarm.remove('exits', 'no-program', 'no-image', 'no-source');
  });
}

function testLogs(scene: () => Scene): void {
  it('streams the logs of its tasks to clients of the manager', async () => {
    const { machines, swarm, worker } = scene();
    const talk = 'n=0; while true; do n=$((n+1)); echo line $n; [ $n = 3 ] && echo oops >&2; ';
    const script = `${talk} while [ $n -ge 3 ] && [ ! -e /tmp/go$n ]; do sleep 0.05; done; done`;
    await swarm.create('--name', 'talk', ...on(scene()), IMAGE, 'sh', '-c', script);
    const id = await containerOf(scene(), 'talk');
    const prefix = `talk\\.1\\.[0-9a-z]{12}@${worker} +\\| `;
    const text = await swarm.logs(/oops/, 'talk');
    expect(text).toMatch(new RegExp(`^${prefix}line 1\n${prefix}line 2\n${prefix}line 3`));
    expect(text).toMatch(new RegExp(`^${prefix}oops$`, 'm'));
    const last = await swarm.logs(/./, '--raw', '--tail', '1', 'talk');
    expect(last.trim()).toMatch(/^(line 3|oops)$/);
    const [task] = await swarm.tasks('talk');
    const stamped = await swarm.docker('service', 'logs', '-t', task?.ID ?? '');
    expect(stamped).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z talk\./);
    const followed = swarm.follow(/line 4\n/, '--raw', 'talk');
    await shell(machines, worker, id, 'touch /tmp/go3');
    expect(await followed).toMatch(/line 1\nline 2\nline 3\nline 4\n$/);
    await swarm.remove('talk');
  });
}

function testAvailability(scene: () => Scene): void {
  it('is emptied by a drain, and gets work again when active', async () => {
    const { machines, swarm, worker } = scene();
    await swarm.create('--name', 'spread', '--replicas', '4', ...IDLE);
    const onWorker = async () =>
      (await machines.docker(worker, 'ps', '-q', '-f', 'name=spread')).split('\n').filter(Boolean);
    await swarm.running('spread', 4);
    expect(await onWorker()).toHaveLength(2);
    await swarm.docker('node', 'update', '--availability', 'drain', worker);
    await until(onWorker, (ids) => ids.length === 0);
    await swarm.running('spread', 4);
    expect(await swarm.node(worker)).toMatch(/^Ready Drain/);
    await swarm.docker('node', 'update', '--availability', 'active', worker);
    await swarm.docker('service', 'scale', '-d', 'spread=8');
    await swarm.running('spread', 8);
    expect(await onWorker()).toHaveLength(4);
    await swarm.remove('spread');
  });
}
