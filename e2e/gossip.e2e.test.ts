import { type GossipNode, RecordTables } from '@skep/gossip';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { crashes, loadImage } from './support/docker-engine.ts';
import { until } from './support/exec.ts';
import { clusterKeys, startPeer } from './support/gossip-peer.ts';
import { TestMachines } from './support/machines.ts';
import { IDLE, PATIENCE_MS } from './support/swarm-view.ts';

/** The engine of this machine is Docker's, and manages a swarm of one. */
const DOCKER = 'docker1';
const NETWORK = 'gossiped';

/** As `docker network inspect --verbose` has it. */
interface InspectedService {
  VIP: string;
  Tasks: { Name: string; EndpointIP: string; Info: { 'Host IP': string } }[];
}

let machines: TestMachines;
let swarm: TestCluster;
let node: GossipNode;
let ip: string;
let tables: RecordTables;
let networkId: string;
let container: string;

beforeAll(async () => {
  machines = new TestMachines();
  swarm = new TestCluster(machines, DOCKER);
  await machines.create([DOCKER], ['--engine', 'dockerd']);
  await loadImage(machines, DOCKER);
  await swarm.init();
  networkId = await swarm.docker('network', 'create', '-d', 'overlay', '--attachable', NETWORK);
});
afterAll(async () => {
  await node?.stop();
  await machines?.cleanUp();
});

/** What Docker's engine knows of a service by gossip. */
async function inspected(service: string): Promise<InspectedService | undefined> {
  const format = ['--verbose', '-f', '{{json .Services}}'];
  const services = await swarm.docker('network', 'inspect', ...format, NETWORK);
  return (JSON.parse(services) as Record<string, InspectedService>)[service];
}

const OURS = {
  ...{ name: 'ours.1.task1', address: '10.0.1.77', serviceId: 'oursid', serviceName: 'ours' },
  ...{ virtualIp: '', serviceAliases: ['other'], aliases: ['alias1'], ports: [] },
};
const ADDRESS = `${OURS.address}/24`;
const MAC = '02:42:0a:00:01:4d';

describe("a node of ours in the gossip of Docker's", { timeout: 2 * PATIENCE_MS }, () => {
  it('joins it with the keys that its manager hands out', async () => {
    const keys = await clusterKeys(await swarm.remote(DOCKER), await swarm.token('worker'));
    ({ node, ip } = await startPeer(await machines.address(DOCKER), keys));
    tables = new RecordTables(node);
    tables.joinNetwork(networkId);
    const both = ({ members }: { members: number }) => members === 2;
    await until(async () => node.stats(), both, PATIENCE_MS);
  });

  it('learns what runs there, and where', async () => {
    await swarm.create('--name', 'web', '--network', NETWORK, ...IDLE);
    const [web] = await until(
      async () => tables.endpoints(networkId),
      (all) => all.length > 0,
      PATIENCE_MS,
    );
    expect(web).toMatchObject({ serviceName: 'web', virtualIp: '10.0.1.2', isDisabled: false });
    const peers = tables.peers(networkId).filter(({ key }) => key === web?.key);
    const tunnelAddress = await machines.address(DOCKER);
    expect(peers).toMatchObject([{ address: `${web?.address}/24`, tunnelAddress }]);
    container = await swarm.docker('ps', '-q');
  });

  it('is heard of what runs with it', async () => {
    tables.putPeer(networkId, 'task1', { address: ADDRESS, mac: MAC, tunnelAddress: ip });
    tables.putEndpoint(networkId, 'task1', { ...OURS, isDisabled: false });
    const known = await until(() => inspected('ours'), Boolean, PATIENCE_MS);
    expect(known?.Tasks).toMatchObject([
      { Name: OURS.name, EndpointIP: OURS.address, Info: { 'Host IP': ip } },
    ]);
    for (const name of ['ours', 'tasks.ours', OURS.name, 'alias1', 'other']) {
      const answer = await swarm.docker('exec', container, 'nslookup', name, '127.0.0.11');
      expect(answer).toContain(`Address: ${OURS.address}`);
    }
  });

  it('takes it out again', async () => {
    tables.putEndpoint(networkId, 'task1', { ...OURS, isDisabled: true });
    tables.deleteEndpoint(networkId, 'task1');
    tables.deletePeer(networkId, 'task1');
    await until(
      () => inspected('ours'),
      (service) => !service,
      PATIENCE_MS,
    );
    await swarm.remove('web');
    await until(
      async () => tables.endpoints(networkId),
      (all) => all.length === 0,
      PATIENCE_MS,
    );
  });

  it('understood all of it, and brought no engine down', async () => {
    expect(node.counters).toMatchObject({ refused: 0, malformed: 0 });
    expect(node.stats()).toMatchObject({ malformed: 0, failed: 0, healthScore: 0 });
    expect(crashes(machines, DOCKER)).toEqual([]);
  });
});
