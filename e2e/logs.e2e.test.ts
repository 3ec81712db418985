import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { until } from './support/exec.ts';
import { DatagramReceiver, StreamReceiver } from './support/log-receivers.ts';
import { IMAGE } from './support/sample.ts';
import { containerOf, startNode } from './support/swarm.ts';

/** A place of the node's own for sockets that a machine has one of. */
const ownJournal = (journal: string) => [
  ...['unshare', '--mount', 'sh', '-c'],
  'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal &&' +
    `touch /run/systemd/journal/socket && mount --bind ${journal} /run/systemd/journal/socket &&` +
    'exec "$@"',
  'sh',
];

interface SwarmJson {
  Version: { Index: number };
  Spec: object;
}

describe('log drivers', () => {
  const journal = new DatagramReceiver();
  const datagrams = new DatagramReceiver();
  const server = new StreamReceiver();
  let node: TestDaemon;

  beforeAll(async () => {
    await server.listen();
    const within = ownJournal(journal.path);
    node = await startNode({ within, flags: ['--log-opt', 'max-file=2'] });
  });
  afterAll(async () => {
    await node?.cleanUp();
    journal.close();
    datagrams.close();
    await server.close();
  });

  const run = (driver: string, options: string[], command: string, ...more: string[]) =>
    node.docker(
      ...['run', '--name', 'box', '--log-driver', driver],
      ...options.flatMap((option) => ['--log-opt', option]),
      ...more,
      ...[IMAGE, 'sh', '-c', command],
    );
  const remove = () => node.docker('rm', '-f', 'box');

  it('json-file rotates, compresses, and adds attributes', async () => {
    const files = ['max-size=2k', 'max-file=3', 'compress=true'];
    const details = ['labels=tier', 'labels-regex=^te', 'env-regex=^A', 'tag={{.ImageName}}'];
    const labels = ['--label', 'tier=front', '--label', 'team=a', '-e', 'AB=1'];
    await run('json-file', [...files, ...details], 'seq 200', ...labels);
    const id = await node.docker('inspect', '-f', '{{.Id}}', 'box');
    const names = () => readdirSync(join(node.dataRoot, 'containers', id));
    await until(
      async () => names().filter((name) => name.endsWith('.gz')),
      (packed) => packed.length === 2,
    );
    expect(await node.docker('logs', '--details', '-n', '1', 'box')).toBe(
      'AB=1,tag=skep%2Fweb%3Alatest,team=a,tier=front 200',
    );
    const lines = (await node.docker('logs', 'box')).split('\n');
    expect(lines.at(0)).toBe(String(201 - lines.length));
    expect(await node.docker('logs', '-n', '25', 'box')).toBe(lines.slice(-25).join('\n'));
    await remove();
  });

  it("journald sends Docker's fields, and what was printed can be read here", async () => {
    await run('journald', ['tag=t/{{.Name}}', 'env=A'], 'echo out; echo err >&2', '-e', 'A=1');
    const entries: string[] = [];
    await until(
      async () => entries.push(...journal.take()),
      (count) => count === 2,
    );
    const [out, err] = entries
      .map((entry) => Object.fromEntries(entry.split('\n').map((line) => line.split('=', 2))))
      .sort((a, b) => b.PRIORITY - a.PRIORITY);
    expect(out).toMatchObject({
      MESSAGE: 'out',
      PRIORITY: '6',
      CONTAINER_NAME: 'box',
      CONTAINER_TAG: 't/box',
      SYSLOG_IDENTIFIER: 't/box',
      IMAGE_NAME: IMAGE,
      A: '1',
    });
    expect(err).toMatchObject({ MESSAGE: 'err', PRIORITY: '3' });
    expect(await node.docker('logs', 'box')).toBe('out');
    await remove();
  });

  it('syslog speaks to sockets, and a server that comes back gets what waited', async () => {
    await run('syslog', [`syslog-address=unixgram://${datagrams.path}`, 'tag=web'], 'echo hi');
    const got = await until(
      async () => datagrams.take(),
      (all) => all.length > 0,
    );
    expect(got[0]).toMatch(/^<30>\w{3} [ \d]\d \d\d:\d\d:\d\d web\[\d+\]: hi\n$/);
    await remove();
    const address = [`syslog-address=unix://${server.path}`, 'syslog-format=rfc5424'];
    await run('syslog', [...address, 'syslog-facility=local0'], 'echo 1; sleep 1000', '-d');
    await until(
      async () => server.text,
      (text) => / - 1\n/.test(text),
    );
    expect(server.text).toMatch(/^<134>1 \S+ \S+ [0-9a-f]{12} \d+ [0-9a-f]{12} - 1\n/);
    await server.goAway();
    await node.docker('exec', 'box', 'sh', '-c', 'echo 2 > /proc/1/fd/1; echo 3 > /proc/1/fd/1');
    await until(
      async () => node.log(),
      (log) => log.includes('log entries cannot be delivered and wait'),
    );
    await server.listen();
    await until(
      async () => server.text,
      (text) => / - 2\n.* - 3\n/.test(text),
    );
    expect(await node.docker('logs', 'box')).toBe('1\n2\n3');
    await remove();
  });

  it('tasks of services have theirs, and `service logs` reads them', async () => {
    const options = [`syslog-address=unix://${server.path}`, 'tag={{.Name}}'];
    const flags = options.flatMap((option) => ['--log-opt', option]);
    await node.docker(
      ...['service', 'create', '-d', '--no-resolve-image', '--name', 'web', '--log-driver'],
      ...['syslog', ...flags, IMAGE, 'sh', '-c', 'echo hello; sleep 1000'],
    );
    await containerOf(node, 'web');
    await until(
      async () => server.text,
      (text) => /web\.1\.\w+\[\d+\]: hello\n/.test(text),
    );
    await until(
      () => node.docker('service', 'logs', '--raw', 'web'),
      (text) => text === 'hello',
    );
    await node.docker('service', 'rm', 'web');
  });

  it("follow the swarm's default, which only the API sets", async () => {
    const { Version, Spec } = await node.get<SwarmJson>('/swarm');
    const LogDriver = { Name: 'local', Options: { 'max-size': '1m' } };
    const spec = JSON.stringify({ ...Spec, TaskDefaults: { LogDriver } });
    const path = `/swarm/update?version=${Version.Index}`;
    expect((await node.request('POST', path, spec)).status).toBe(200);
    const create = ['service', 'create', '-d', '--no-resolve-image', '--name', 'usual'];
    await node.docker(...create, IMAGE, 'sh', '-c', 'echo hello; sleep 1000');
    const id = await containerOf(node, 'usual');
    expect(
      JSON.parse(await node.docker('inspect', '-f', '{{json .HostConfig.LogConfig}}', id)),
    ).toEqual({ Type: 'local', Config: LogDriver.Options });
    await until(
      () => node.docker('service', 'logs', '--raw', 'usual'),
      (text) => text === 'hello',
    );
    await node.docker('service', 'rm', 'usual');
  });

  it('refuses what it cannot do', async () => {
    const fails = (...options: string[]) => node.dockerFails('run', ...options, IMAGE, 'true');
    expect(await fails('--log-driver', 'fluentd')).toContain(
      "logger: no log driver named 'fluentd' is registered",
    );
    expect(await fails('--log-opt', 'x=1')).toContain(
      "unknown log opt 'x' for json-file log driver",
    );
    await run('syslog', [`syslog-address=unix://${server.path}`, 'cache-disabled=true'], 'true');
    expect(await node.dockerFails('logs', 'box')).toContain(
      'configured logging driver does not support reading',
    );
    await remove();
    const nowhere = ['--log-driver', 'syslog', '--log-opt', 'syslog-address=unix:///nowhere'];
    expect(await fails(...nowhere)).toContain('stat /nowhere: no such file or directory');
    expect(await node.docker('info', '-f', '{{.LoggingDriver}} {{.Plugins.Log}}')).toBe(
      'json-file [journald json-file local syslog]',
    );
  });
});
