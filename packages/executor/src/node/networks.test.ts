import { create } from '@bufbuild/protobuf';
import { completeObject } from '@skep/wire';
import { NodeSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { nodeNetworking } from './networks.js';

const overlay = {
  id: 'net1',
  spec: { annotations: { name: 'back' }, internal: true },
  driverState: {
    name: 'overlay',
    options: {
      'com.docker.network.driver.overlay.vxlanid_list': '4097,4098',
      'com.docker.network.driver.mtu': '1300',
      encrypted: '',
    },
  },
  ipam: {
    configs: [
      { subnet: '10.0.1.0/24', gateway: '10.0.1.1' },
      { subnet: 'fd00:1::/64', gateway: 'fd00:1::1/64' },
      { subnet: '10.0.2.0/24', gateway: '10.0.2.1/24' },
    ],
  },
};

function networkingOf(attachments: object[]) {
  const node = create(NodeSchema, { id: 'n1', VXLANUDPPort: 5_789, attachments });
  return nodeNetworking(completeObject('node', node));
}

describe('what the swarm says of a node’s networks', () => {
  it('has their tunnels, one for each IPv4 subnet, and their options', () => {
    const { attachments, vxlanPort } = networkingOf([
      { network: overlay, addresses: ['10.0.1.3/24'] },
    ]);
    expect(vxlanPort).toBe(5_789);
    expect(attachments).toEqual([
      {
        id: 'net1',
        name: 'back',
        subnets: [
          { subnet: '10.0.1.0/24', gateway: '10.0.1.1', vni: 4_097 },
          { subnet: 'fd00:1::/64', gateway: 'fd00:1::1', vni: 0 },
          { subnet: '10.0.2.0/24', gateway: '10.0.2.1', vni: 4_098 },
        ],
        mtuBytes: 1_300,
        encrypted: true,
        internal: true,
        ingress: false,
        nodeAddress: '10.0.1.3/24',
      },
    ]);
  });

  it('leaves out networks without an address yet, and those of other drivers', () => {
    const other = { ...overlay, driverState: { name: 'macvlan' } };
    const { attachments } = networkingOf([
      { network: overlay, addresses: [] },
      { network: other, addresses: ['10.0.1.3/24'] },
    ]);
    expect(attachments).toEqual([]);
  });
});
