import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Capture } from './support/capture.ts';
import { type ListedNode, TestCluster } from './support/cluster.ts';
import { ContainerNetwork } from './support/container-network.ts';
import { until } from './support/exec.ts';
import { type PlacedTask, placed, virtualIp } from './support/overlay-scene.ts';
import { answerers, probe } from './support/probe.ts';
import { IDLE, PATIENCE_MS } from './support/swarm-view.ts';
import { intrude } from './support/vxlan.ts';

/** Encrypted overlay networks over two machines: what crosses between them, and what does not. */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const NODES = ['node1', 'node2'] as const;
const TUNNEL_PORT = 4_789;
const UDP_PORT = 9_000;
const ECHO_PORT = 7;
const LINK = 'skep_wg';

let cluster: TestCluster;
/** One on each machine, in both networks. */
let near: PlacedTask;
let far: PlacedTask;
let nearNetwork: ContainerNetwork;
let farNetwork: ContainerNetwork;

beforeAll(async () => {
  cluster = await TestCluster.machines(...NODES);
  await cluster.init();
  await cluster.join('node2', 'worker');
  await cluster.docker('network', 'create', '-d', 'overlay', '--opt', 'encrypted', 'secret');
  await cluster.docker('network', 'create', '-d', 'overlay', 'open');
  const networks = ['--network', 'secret', '--network', 'open'];
  await cluster.create('--name', 'web', '--mode', 'global', ...networks, ...probe());
  [near, far] = (await placed(cluster, 'web', 2)) as [PlacedTask, PlacedTask];
  const { machines } = cluster;
  nearNetwork = await ContainerNetwork.of(machines, near.node, near.containerId);
  farNetwork = await ContainerNetwork.of(machines, far.node, far.containerId);
});
afterAll(() => cluster?.cleanUp());

const on = (node: string, command: string) => cluster.machines.ssh(node, command);

/** VXLAN's number of a network. */
async function tunnelNumber(network: string): Promise<number> {
  const [shown] = JSON.parse(await cluster.docker('network', 'inspect', network));
  return Number(shown.Options['com.docker.network.driver.overlay.vxlanid_list']);
}

/** What reaches the far container of datagrams, one forged and one of the near container. */
async function arrivals(network: string): Promise<string[]> {
  const to = far.addresses[network] ?? '';
  const listener = await farNetwork.listen(UDP_PORT);
  const node = { address: await cluster.machines.address(far.node), tunnelPort: TUNNEL_PORT };
  const from = near.addresses[network] ?? '';
  await intrude(node, { vni: await tunnelNumber(network), from, to, port: UDP_PORT });
  await nearNetwork.send(to, UDP_PORT, 'genuine', 'end', 'end');
  return await listener.all();
}

/** Resolves when the far container answers the near one through the encrypted network. */
async function untilAnswered(): Promise<void> {
  await until(
    () => near.place.get(`http://${far.addresses['secret']}/`),
    ([outcome]) => typeof outcome === 'object',
    PATIENCE_MS,
  );
}

describe('containers of an encrypted network', () => {
  it('reach each other by name, virtual IP and address', async () => {
    await untilAnswered();
    const everybody = NODES.map((node) => expect.stringMatching(new RegExp(`@${node}$`)));
    for (const host of ['web', await virtualIp(cluster, 'web', 'secret')]) {
      const names = answerers(await near.place.get(`http://${host}/`, 20));
      expect(names).toHaveLength(2);
      expect(names).toEqual(expect.arrayContaining(everybody));
    }
  });

  it('send nothing to another machine that others could read', async () => {
    const other = await cluster.machines.address(far.node);
    const capture = await Capture.start(cluster.machines, near.node, `host ${other}`);
    await nearNetwork.send(far.addresses['secret'] ?? '', UDP_PORT, 'for-nobody-else');
    await nearNetwork.send(far.addresses['open'] ?? '', UDP_PORT, 'for-everybody');
    await until(
      async () => capture.seen,
      (text) => text.includes('for-everybody') && /> [\d.]+\.7947: UDP/.test(text),
    );
    const seen = await capture.stop();
    expect(seen).not.toContain('for-nobody-else');
    const number = await tunnelNumber('secret');
    expect(seen).not.toContain(`vni ${number}`);
    expect(seen).toContain(`vni ${await tunnelNumber('open')}`);
  });

  it('are sent nothing by those who are not in it: clear datagrams of it are dropped', async () => {
    expect(await arrivals('open')).toEqual(['intruder', 'genuine']);
    expect(await arrivals('secret')).toEqual(['genuine']);
  });

  it('have room for what encryption adds: full packets are not cut', async () => {
    const capture = await Capture.start(cluster.machines, near.node, 'ip[6:2] & 0x3fff != 0');
    const address = far.addresses['secret'] ?? '';
    expect(await near.place.datagram(address, 80, 1_390 - 28)).toMatchObject({ bytes: 1_362 });
    expect(await near.place.put(`http://${address}/`, 1_000_000)).toMatchObject({
      bytes: 1_000_000,
    });
    expect(await capture.stop()).toBe('');
  });
});

describe('the way of an encrypted network', () => {
  it('outlives the daemons, with its keys and what goes through it', async () => {
    const keys = () => Promise.all(NODES.map((node) => on(node, `wg show ${LINK} public-key`)));
    const before = await keys();
    const held = nearNetwork.connect(far.addresses['secret'] ?? '', ECHO_PORT);
    const echoed = async (text: string) => {
      held.type(text);
      await until(
        async () => held.seen,
        (lines) => lines.includes(text),
      );
    };
    await echoed('before');
    for (const node of NODES) await on(node, 'kill -9 $(cat /var/lib/skep/skepd.lock)');
    await echoed('orphaned');
    const areReady = (nodes: ListedNode[]) =>
      nodes.filter(({ status }) => status === 'Ready').length === NODES.length;
    await cluster.untilNodes(areReady);
    await placed(cluster, 'web', 2);
    await echoed('adopted');
    held.end();
    expect(await keys()).toEqual(before);
  });

  it('is made anew within seconds when the program that encrypts has died, or rules were flushed', async () => {
    const links = (node: string) => on(node, `ip -br link show ${LINK} || true`);
    await on(near.node, 'for pid in $(pidof wireguard-go); do kill -9 $pid; done');
    await until(
      () => links(near.node),
      (text) => text === '',
    );
    await untilAnswered();
    expect(await links(near.node)).toContain(LINK);
    await on(near.node, 'nft flush table ip skep_enc');
    await until(
      () => on(near.node, 'nft list table ip skep_enc'),
      (text) => text.includes('drop'),
    );
  });
});

describe('a node that cannot encrypt', () => {
  it('rejects tasks of encrypted networks and says why, and is given none once it is known', async () => {
    await cluster.remove('web');
    await on('node2', 'mount --bind /dev/null /usr/bin/wg');
    const there = ['--constraint', 'node.hostname==node2', '--network', 'secret'];
    await cluster.create('--name', 'unable', '--restart-delay', '500ms', ...there, ...IDLE);
    const said = (text: string) =>
      until(
        () => cluster.docker('service', 'ps', '--no-trunc', '--format', '{{.Error}}', 'unable'),
        (errors) => errors.includes(text),
        PATIENCE_MS,
      );
    await said(
      'network secret cannot be made on this node: its packets are to be encrypted: ' +
        'wireguard-tools is not installed',
    );
    await on('node2', 'kill -9 $(cat /var/lib/skep/skepd.lock)');
    await said('network cannot be encrypted on 1 node');
  });
});
