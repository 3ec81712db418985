import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EndpointPort_Protocol, Gone_Kind, NetworksUpdateSchema } from '@skep/wire/skep';
import { expect, it } from 'vitest';
import { fromUpdate } from './from-update.js';
import { endpointOf, networkOf, nodeOf, serviceOf, updateOf } from './objects.sim.js';

it('makes tables of what a manager tells, as it comes over the wire', () => {
  const ports = [{ protocol: 'udp' as const, targetPort: 53, publishedPort: 5_353 }];
  const endpoint = endpointOf('t1', { ports });
  const node = nodeOf('n1', { wireguardKey: new Uint8Array(32).fill(9), wireguardPort: 1 });
  const told = updateOf(9n, {
    complete: true,
    networks: [networkOf('net')],
    nodes: [node],
    services: [serviceOf('web')],
    endpoints: [endpoint],
    gone: [
      { table: 'network', networkId: 'old', id: '' },
      { table: 'endpoint', networkId: 'net', id: 't0' },
    ],
  });
  const message = create(NetworksUpdateSchema, {
    ...told,
    endpoints: [
      { ...endpoint, slot: 1n, ports: [{ ...ports[0], protocol: EndpointPort_Protocol.UDP }] },
    ],
    gone: [
      { kind: Gone_Kind.NETWORK, networkId: 'old' },
      { kind: Gone_Kind.ENDPOINT, networkId: 'net', id: 't0' },
    ],
  });
  const received = fromBinary(NetworksUpdateSchema, toBinary(NetworksUpdateSchema, message));
  expect(fromUpdate(received)).toEqual(told);
});
