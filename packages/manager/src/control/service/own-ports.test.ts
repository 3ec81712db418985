import { create } from '@bufbuild/protobuf';
import { markOwnAgent } from '@skep/wire';
import {
  EndpointSpecSchema,
  NodeDescriptionSchema,
  PortConfig_Protocol,
  PortConfig_PublishMode,
  RaftMemberStatus_Reachability,
} from '@skep/wire/swarmkit';
import { expect, it } from 'vitest';
import { SimControl } from '../fixture.sim.js';
import { checkOwnPorts } from './own-ports.js';

const { HOST, INGRESS } = PortConfig_PublishMode;

const MANAGER = {
  raftId: 1n,
  nodeId: 'n',
  address: '[fd00::1]:2378',
  leader: true,
  reachability: RaftMemberStatus_Reachability.REACHABLE,
};

async function swarm(): Promise<SimControl> {
  const sim = new SimControl();
  const spec = { annotations: { name: 'default' } };
  await sim.put('cluster', { id: 'c', spec, VXLANUDPPort: 5_789 });
  const wireguard = { key: new Uint8Array(32).fill(1), port: 7_947 };
  const description = markOwnAgent(create(NodeDescriptionSchema), { address: '', wireguard });
  await sim.put('node', { id: 'n', description });
  return sim;
}

it.each([
  [2_378, 'TCP', 'its managers'],
  [7_946, 'TCP', 'gossip'],
  [7_946, 'UDP', 'gossip'],
  [7_947, 'TCP', 'images that its nodes share'],
  [5_789, 'UDP', 'overlay networks (VXLAN)'],
  [7_947, 'UDP', 'encrypted overlay networks (WireGuard)'],
] as const)(
  'the routing mesh does not get port %i (%s), which is for %s',
  async (port, name, use) => {
    const { store } = await swarm();
    const check = (publishMode: PortConfig_PublishMode, protocol = PortConfig_Protocol[name]) => {
      const ports = [{ publishedPort: port, targetPort: 80, publishMode, protocol }];
      checkOwnPorts(store.view, create(EndpointSpecSchema, { ports }), [MANAGER]);
    };
    const text = `port '${port}' (${name.toLowerCase()}) is in use by the swarm itself, for ${use}`;
    expect(() => check(INGRESS)).toThrow(text);
    check(HOST); // the node itself knows whether it is free
    check(INGRESS, PortConfig_Protocol.SCTP);
  },
);

it('any other port is as good as before', async () => {
  const { store } = await swarm();
  const ports = [2_377, 4_789, 0].map((publishedPort) => ({ publishedPort, targetPort: 80 }));
  checkOwnPorts(store.view, create(EndpointSpecSchema, { ports }), [MANAGER]);
  checkOwnPorts(store.view, undefined, [MANAGER]);
});
