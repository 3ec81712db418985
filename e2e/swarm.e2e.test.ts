import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { startNode } from './support/swarm.ts';

const NOT_A_MANAGER =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

describe('a swarm of one', () => {
  let node: TestDaemon;
  beforeAll(async () => {
    node = await startNode({ swarm: false });
  });
  afterAll(() => node?.cleanUp());

  it('refuses swarm commands before there is a swarm', async () => {
    expect(await node.dockerFails('node', 'ls')).toContain(NOT_A_MANAGER);
    expect(await node.dockerFails('swarm', 'leave')).toContain('This node is not part of a swarm');
    expect((await node.request('GET', '/services')).status).toBe(503);
    expect(await node.docker('info')).toMatch(/Swarm: inactive/);
  });

  it('is made by swarm init, which tells how to join', async () => {
    const said = await node.docker('swarm', 'init', '--advertise-addr', '192.0.2.10:2377');
    expect(said).toMatch(/^Swarm initialized: current node \([0-9a-z]{25}\) is now a manager\./);
    expect(said).toMatch(
      /docker swarm join --token SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25} 192\.0\.2\.10:2377/,
    );
    const again = await node.dockerFails('swarm', 'init');
    expect(again).toContain('This node is already part of a swarm.');
  });

  it('shows and rotates join tokens', async () => {
    const worker = await node.docker('swarm', 'join-token', '-q', 'worker');
    const manager = await node.docker('swarm', 'join-token', '-q', 'manager');
    expect(worker).not.toBe(manager);
    const rotated = await node.docker('swarm', 'join-token', '--rotate', '-q', 'worker');
    expect(rotated).not.toBe(worker);
    expect(rotated.slice(0, 59)).toBe(worker.slice(0, 59));
    expect(await node.docker('swarm', 'join-token', '-q', 'worker')).toBe(rotated);
    expect(await node.docker('swarm', 'join-token', '-q', 'manager')).toBe(manager);
  });

  it('takes cluster settings by swarm update', async () => {
    expect(await node.docker('swarm', 'update', '--task-history-limit', '2')).toBe(
      'Swarm updated.',
    );
    expect(await node.docker('info')).toMatch(/Task History Retention Limit: 2/);
    const refused = await node.dockerFails('swarm', 'update', '--cert-expiry', '10m');
    expect(refused).toContain('minimum certificate expiry time is: 1h0m0s');
    await node.docker('swarm', 'update', '--task-history-limit', '5');
  });

  it('lists and inspects its node, and takes labels', async () => {
    expect(await node.docker('node', 'ls')).toMatch(/\* +\S+ +Ready +Active +Leader +\d+\.\d+/);
    expect(
      await node.docker('node', 'update', '--label-add', 'zone=a', 'self').catch((e) => `${e}`),
    ).toBeTruthy();
    const id = await node.docker('info', '--format', '{{.Swarm.NodeID}}');
    await node.docker('node', 'update', '--label-add', 'zone=a', '--label-add', 'ssd', id);
    expect(await node.docker('node', 'inspect', 'self', '--format', '{{json .Spec.Labels}}')).toBe(
      '{"ssd":"","zone":"a"}',
    );
    const pretty = await node.docker('node', 'inspect', '--pretty', 'self');
    expect(pretty).toMatch(/State:\s+Ready/);
    expect(pretty).toMatch(/Availability:\s+Active/);
    expect(pretty).toMatch(/Raft Status:\s+Reachable/);
    expect(pretty).toMatch(/Leader:\s+Yes/);
    expect(pretty).toMatch(/BEGIN CERTIFICATE/);
    expect(await node.docker('node', 'ls', '--format', '{{.TLSStatus}}')).toBe('Ready');
    expect(await node.docker('node', 'ps')).toMatch(/^ID +NAME/);
  });

  it('is left only by force, and leaves nothing behind', async () => {
    await node.docker(
      'service',
      'create',
      '-d',
      '--no-resolve-image',
      '--name',
      'web',
      '--replicas',
      '2',
      'skep/web',
    );
    const refused = await node.dockerFails('swarm', 'leave');
    expect(refused).toContain('Removing the last manager erases all current state of the swarm.');
    expect(await node.docker('swarm', 'leave', '--force')).toBe('Node left the swarm.');
    expect(await node.docker('ps', '-aq')).toBe('');
    expect(await node.docker('info')).toMatch(/Swarm: inactive/);
    await node.docker('swarm', 'init', '--advertise-addr', '192.0.2.10');
    expect(await node.docker('service', 'ls', '-q')).toBe('');
  });

  it('refuses addresses and pools it cannot use', async () => {
    await node.docker('swarm', 'leave', '--force');
    const init = (...args: string[]) => node.dockerFails('swarm', 'init', ...args);
    expect(await init('--advertise-addr', '0.0.0.0')).toContain(
      'advertise address must be a non-zero IP address or network interface (with optional port number)',
    );
    const pools = JSON.stringify({
      ListenAddr: '0.0.0.0:2377',
      AdvertiseAddr: '192.0.2.10',
      DefaultAddrPool: ['10.0.0.0/33'],
    });
    const { status, body } = await node.request('POST', '/swarm/init', pools);
    expect([status, JSON.parse(body).message]).toEqual([
      400,
      expect.stringContaining('invalid base pool 10.0.0.0/33'),
    ]);
    expect(await init('--data-path-port', '80')).toContain(
      'Datapath port number is not in valid range (1024-49151)',
    );
    await node.docker(
      'swarm',
      'init',
      '--advertise-addr',
      'eth0',
      '--default-addr-pool',
      '10.20.0.0/16',
    );
    expect(await node.docker('info')).toMatch(/Default Address Pool: 10\.20\.0\.0\/16/);
  });
});
