import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { until } from './support/exec.ts';
import { IMAGE } from './support/sample.ts';
import { IDLE, PATIENCE_MS } from './support/swarm-view.ts';

/** Plain containers on a network of the swarm, through everything that befalls their node. */

const WORKER = 'node2';
const NETWORK = ['--network', 'open'];
const ADDRESS = '{{.NetworkSettings.Networks.open.IPAddress}}';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.swarm(['node1'], [WORKER]);
  const subnet = ['--subnet', '10.83.0.0/24'];
  await cluster.docker('network', 'create', '-d', 'overlay', '--attachable', ...subnet, 'open');
});
afterAll(() => cluster?.cleanUp());

const onWorker = (...words: string[]) => cluster.dockerOn(WORKER, ...words);
const run = (name: string, ...flags: string[]) =>
  onWorker('run', '-d', '--stop-timeout', '1', '--name', name, ...NETWORK, ...flags, ...IDLE);
const addressOf = (name: string) => onWorker('inspect', '-f', ADDRESS, name);
const refused = (...words: string[]) => cluster.machines.dockerFails(WORKER, ...words);

/** Addresses that containers hold, as the manager knows it. */
async function held(): Promise<string[]> {
  const filters = encodeURIComponent(JSON.stringify({ runtime: ['attachment'] }));
  const tasks = await cluster.machines.get<
    { NetworksAttachments: { Addresses: string[] }[]; Status: { State: string } }[]
  >('node1', `/tasks?filters=${filters}`);
  const running = tasks.filter(({ Status }) => Status.State === 'running');
  return running.flatMap(({ NetworksAttachments }) => NetworksAttachments[0]?.Addresses ?? []);
}

const untilHeld = (...addresses: string[]) =>
  until(held, (now) => now.toSorted().join() === addresses.toSorted().join());

describe('a container on an attachable network', () => {
  it('holds its address as long as it runs, and gets another at its next start', async () => {
    await run('box');
    const first = await addressOf('box');
    await untilHeld(`${first}/24`);
    await onWorker('restart', '-t', '0', 'box');
    const second = await addressOf('box');
    expect(second).not.toBe(first);
    await untilHeld(`${second}/24`);
    await onWorker('stop', '-t', '0', 'box');
    await untilHeld();
    await onWorker('rm', 'box');
  });

  it('has the address that it asks for, which nobody else gets', async () => {
    await run('fixed', '--ip', '10.83.0.99', '--restart', 'always');
    expect(await addressOf('fixed')).toBe('10.83.0.99');
    await onWorker('restart', '-t', '0', 'fixed');
    expect(await addressOf('fixed')).toBe('10.83.0.99');
    const failed = await cluster.fails(
      'run',
      '--rm',
      ...NETWORK,
      '--ip',
      '10.83.0.99',
      IMAGE,
      'true',
    );
    expect(failed).toContain('Address already in use: 10.83.0.99 in network open');
    expect(await refused('run', '--rm', ...NETWORK, '--ip', '10.84.0.1', IMAGE, 'true')).toContain(
      'Requested address is out of range: 10.84.0.1 is in no subnet of network open',
    );
  });

  it('is found by its new name when it is renamed, on its own node and on others', async () => {
    await run('box');
    await onWorker('rename', 'box', 'crate');
    const ping = ['run', '--rm', ...NETWORK, IMAGE, 'ping', '-c', '1'];
    const address = await addressOf('crate');
    expect(await cluster.docker(...ping, 'crate')).toContain(address);
    expect(await onWorker('exec', 'crate', 'ping', '-c', '1', 'crate')).toContain(address);
    expect(await cluster.fails(...ping, 'box')).toContain('bad address');
    await onWorker('rm', '-f', 'crate');
  });

  it('keeps it when its engine is killed, and gives it back after that', async () => {
    await run('kept');
    const address = await addressOf('kept');
    await cluster.machines.ssh(WORKER, 'kill -9 $(cat /var/lib/skep/skepd.lock)');
    await until(
      () => cluster.membership(WORKER).catch(() => ''),
      (state) => state === 'active',
      PATIENCE_MS,
    );
    expect(await addressOf('kept')).toBe(address);
    expect(
      await cluster.docker('run', '--rm', ...NETWORK, IMAGE, 'ping', '-c', '1', 'kept'),
    ).toContain(address);
    await untilHeld(`${address}/24`, '10.83.0.99/24');
    await onWorker('rm', '-f', 'kept');
    await untilHeld('10.83.0.99/24');
  });

  it('has it again after a power cut, when it is started again', async () => {
    await cluster.machines.kill(WORKER);
    await cluster.machines.start(WORKER);
    await until(
      () => addressOf('fixed').catch(() => ''),
      (address) => address === '10.83.0.99',
      PATIENCE_MS,
    );
    await untilHeld('10.83.0.99/24');
  });

  it('starts on a node that takes no tasks', async () => {
    await cluster.docker('node', 'update', '--availability', 'drain', WORKER);
    expect(await onWorker('run', '--rm', ...NETWORK, IMAGE, 'ip', '-o', '-4', 'addr')).toMatch(
      /10\.83\.0\./,
    );
    await cluster.docker('node', 'update', '--availability', 'active', WORKER);
  });

  it('keeps its network from being removed', async () => {
    expect(await cluster.fails('network', 'rm', 'open')).toMatch(
      /network [0-9a-z]{25} is in use by task [0-9a-z]{25}/,
    );
  });

  it('is told when no manager can be reached, and goes on without', async () => {
    await cluster.machines.disconnect('node1');
    expect(await refused('run', '--rm', ...NETWORK, IMAGE, 'true')).toContain(
      'Could not attach to network open: no manager of the swarm could be reached within 20 s',
    );
    expect(await addressOf('fixed')).toBe('10.83.0.99');
    await cluster.machines.connect('node1');
    await cluster.untilNodes((nodes) => nodes.every(({ status }) => status === 'Ready'));
    await onWorker('run', '--rm', ...NETWORK, IMAGE, 'true');
  });

  it('loses the network when its node leaves the swarm', async () => {
    await onWorker('swarm', 'leave');
    expect(
      await onWorker('inspect', '-f', '{{json .NetworkSettings.Networks}}', 'fixed'),
    ).not.toContain('open');
    expect(await onWorker('exec', 'fixed', 'ip', '-o', '-4', 'addr')).not.toContain('10.83.0');
    expect(await refused('run', '--rm', ...NETWORK, IMAGE, 'true')).toContain(
      'network open not found',
    );
    expect(await onWorker('network', 'ls', '--format', '{{.Name}}')).not.toContain('open');
  });
});
