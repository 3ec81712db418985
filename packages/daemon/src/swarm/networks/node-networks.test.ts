import type { Network } from '@skep/network';
import { SimClock, SimDisk, SimRandom, silentLogger } from '@skep/platform';
import { expect, it, vi } from 'vitest';
import type { SwarmMembership } from '../membership.js';
import { NodeNetworks } from './node-networks.js';

/** A node of a swarm, and what its tunnels were told. */
function setUp() {
  const paths: object[] = [];
  const overlays = { configure: async (path: object) => void paths.push(path) };
  const traffic = { announceThrough: () => {} };
  const updates: object[] = [];
  const update = async (said: object) => void updates.push(said);
  const tables = { update, addReader: () => {} };
  const serveContainers = () => {};
  const network = { overlays, traffic, tables, serveContainers } as unknown as Network;
  let change = () => {};
  let state = 'active';
  const membership = {
    nodeId: () => 'n1',
    nodeAddress: () => '192.0.2.7',
    dataPathAddress: () => '192.0.2.7',
    localNodeState: () => state,
    onChange: (listener: () => void) => {
      change = listener;
      return () => {
        change = () => {};
      };
    },
  } as unknown as SwarmMembership;
  const parts = {
    disk: new SimDisk(),
    clock: new SimClock(),
    random: new SimRandom(1),
    logger: silentLogger,
  };
  const networks = new NodeNetworks({ ...parts, network, directory: '/run' });
  networks.follow(membership);
  const becomes = (next: string) => {
    state = next;
    change();
  };
  return { networks, paths, updates, becomes };
}

it('leaves the tunnels of an earlier run alone until the swarm has said their port', async () => {
  const { networks, paths } = setUp();
  networks.settle();
  expect(paths).toEqual([]);
  await networks.configure({ vxlanPort: 5_789, attachments: [] });
  expect(paths).toEqual([{ address: '192.0.2.7', udpPort: 5_789 }]);
});

it('takes VXLAN’s own port where the swarm says none, and forgets that of a swarm it left', async () => {
  const { networks, paths, becomes } = setUp();
  networks.settle();
  await networks.configure({ vxlanPort: 0, attachments: [] });
  expect(paths).toEqual([{ address: '192.0.2.7', udpPort: 4_789 }]);
  becomes('inactive');
  becomes('active');
  expect(paths).toHaveLength(1);
});

it('has no networks any more when it leaves the swarm', async () => {
  const { networks, updates, becomes } = setUp();
  networks.settle();
  becomes('inactive');
  await vi.waitFor(() => expect(updates).toMatchObject([{ complete: true, networks: [] }]));
});

it('keeps its networks when the daemon ends, and with it its part in the swarm', async () => {
  const { networks, updates, becomes } = setUp();
  networks.settle();
  networks.unfollow();
  becomes('inactive');
  await networks.close();
  expect(updates).toEqual([]);
});
