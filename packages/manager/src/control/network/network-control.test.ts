import { create } from '@bufbuild/protobuf';
import { Code } from '@skep/platform';
import {
  CreateNetworkRequestSchema,
  NetworkSpecSchema,
  RemoveNetworkRequestSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Fields, failure, SimControl } from '../fixture.sim.js';

type Spec = Fields<typeof NetworkSpecSchema>;

let sim: SimControl;

beforeEach(() => {
  sim = new SimControl();
});

const make = (spec: Spec = {}) =>
  sim.control.createNetwork(
    create(CreateNetworkRequestSchema, {
      spec: create(NetworkSpecSchema, { annotations: { name: 'net' }, ...spec }),
    }),
  );
const ipam = (...configs: object[]) => ({ ipam: { configs } });
const options = (given: Record<string, string>) => ({
  driverConfig: { name: 'overlay', options: given },
});
const MTU = 'com.docker.network.driver.mtu';
const IDS = 'com.docker.network.driver.overlay.vxlanid_list';

describe('a network', () => {
  it.each<[Code, string, Spec]>([
    [
      Code.INVALID_ARGUMENT,
      'ingress network cannot be attachable',
      { ingress: true, attachable: true },
    ],
    [Code.INVALID_ARGUMENT, 'meta: name must be provided', { annotations: {} }],
    [
      Code.UNIMPLEMENTED,
      'only overlay driver is currently supported for ingress network',
      { ingress: true, driverConfig: { name: 'bridge' } },
    ],
    [
      Code.UNIMPLEMENTED,
      'networks of driver macvlan cannot be made in the swarm; use driver overlay',
      { driverConfig: { name: 'macvlan' } },
    ],
    [
      Code.INVALID_ARGUMENT,
      'error during lookup of plugin weave',
      { driverConfig: { name: 'weave' } },
    ],
    [
      Code.UNIMPLEMENTED,
      'overlay networks have no option speed; there are encrypted, com.docker.network.driver.mtu, ' +
        'com.docker.network.driver.overlay.vxlanid_list, dsr',
      options({ speed: 'fast' }),
    ],
    [
      Code.UNIMPLEMENTED,
      '--ipam-opt is not supported by this engine',
      { ipam: { driver: { name: 'default', options: { a: 'b' } } } },
    ],
    [
      Code.INVALID_ARGUMENT,
      'ipam configuration: invalid subnet 10.0.0.0',
      ipam({ subnet: '10.0.0.0' }),
    ],
    [
      Code.INVALID_ARGUMENT,
      'ipam configuration: subnet 10.0.0.0/30 is too small: a network needs at least 8 addresses (/29)',
      ipam({ subnet: '10.0.0.0/30' }),
    ],
    [
      Code.INVALID_ARGUMENT,
      'ipam configuration: subnet 10.0.0.0/24 does not contain gateway 10.0.1.1',
      ipam({ subnet: '10.0.0.0/24', gateway: '10.0.1.1' }),
    ],
    [
      Code.INVALID_ARGUMENT,
      "ipam configuration: gateway 10.0.0.255 is the network's or the broadcast address of 10.0.0.0/24",
      ipam({ subnet: '10.0.0.0/24', gateway: '10.0.0.255' }),
    ],
    [
      Code.INVALID_ARGUMENT,
      'ipam configuration: subnet 10.0.0.0/24 does not contain range 10.1.0.0/25',
      ipam({ subnet: '10.0.0.0/24', range: '10.1.0.0/25' }),
    ],
    [
      Code.INVALID_ARGUMENT,
      'ipam configuration: subnet 10.0.0.0/24 does not contain range 10.0.0.0/23',
      ipam({ subnet: '10.0.0.0/24', range: '10.0.0.0/23' }),
    ],
    [
      Code.INVALID_ARGUMENT,
      'ipam configuration: invalid gateway x',
      ipam({ subnet: '10.0.0.0/24', gateway: 'x' }),
    ],
    [
      Code.INVALID_ARGUMENT,
      'ipam configuration: subnet 10.0.0.0/24 does not contain auxiliary address nas=10.1.0.1',
      ipam({ subnet: '10.0.0.0/24', reserved: { nas: '10.1.0.1' } }),
    ],
    [
      Code.PERMISSION_DENIED,
      'Pool overlaps with other one on this address space: 10.0.1.0/24 overlaps 10.0.0.0/16 of the ' +
        'same network',
      ipam({ subnet: '10.0.0.0/16' }, { subnet: '10.0.1.0/24' }),
    ],
    [
      Code.INVALID_ARGUMENT,
      `invalid value "big" of option ${MTU}: an MTU is a number of bytes, 144 to 65535`,
      options({ [MTU]: 'big' }),
    ],
    [
      Code.INVALID_ARGUMENT,
      'invalid vxlan id value "16777216" passed: a number from 1 to 16777215',
      options({ [IDS]: '16777216' }),
    ],
    [
      Code.INVALID_ARGUMENT,
      '2 vxlan ids are given for 1 of its subnets',
      options({ [IDS]: '5000,5001' }),
    ],
  ])('is refused with %i: %s', async (code, message, spec) => {
    expect(await failure(make(spec))).toMatchObject({ code, message });
  });

  it('is kept as it was asked for', async () => {
    const { network } = await make({
      ...options({ encrypted: '', [MTU]: '1400' }),
      attachable: true,
    });
    expect(network?.spec).toMatchObject({
      attachable: true,
      driverConfig: { name: 'overlay', options: { encrypted: '', [MTU]: '1400' } },
    });
  });

  it('has a name of its own', async () => {
    await make();
    expect(await failure(make())).toMatchObject({
      code: Code.ALREADY_EXISTS,
      message: 'network with name net already exists',
    });
  });

  it('overlaps no other one, allocated or not', async () => {
    await make(ipam({ subnet: '10.5.0.0/16' }));
    const other = { annotations: { name: 'other' }, ...ipam({ subnet: '10.5.7.0/24' }) };
    expect(await failure(make(other))).toMatchObject({
      code: Code.PERMISSION_DENIED,
      message:
        'Pool overlaps with other one on this address space: 10.5.7.0/24 overlaps 10.5.0.0/16 of ' +
        'network net',
    });
  });

  it('overlaps nothing that this host has a route to', async () => {
    sim.hostSubnets = ['0.0.0.0/0', '192.168.0.0/12', '192.168.7.0/24'];
    const error = await failure(make(ipam({ subnet: '192.168.0.0/16' })));
    expect(error.message).toBe(
      'Pool overlaps with other one on this address space: 192.168.0.0/16 overlaps the route to ' +
        '192.168.7.0/24 of this host',
    );
  });

  it('is refused when the pools have no subnet left', async () => {
    const spec = { annotations: { name: 'default' } };
    await sim.put('cluster', {
      id: 'c',
      spec,
      defaultAddressPool: ['10.3.0.0/23'],
      subnetSize: 24,
    });
    await make({ annotations: { name: 'a' } });
    await make({ annotations: { name: 'b' } });
    expect(await failure(make({ annotations: { name: 'c' } }))).toMatchObject({
      code: Code.FAILED_PRECONDITION,
      message:
        'could not find an available, non-overlapping IPv4 address pool among the defaults to assign ' +
        'to the network: no /24 of 10.3.0.0/23 is free of other networks, nodes and routes of this host',
    });
  });

  it('is refused when another one has its identifier', async () => {
    await make(options({ [IDS]: '5000' }));
    const other = { annotations: { name: 'other' }, ...options({ [IDS]: '5000' }) };
    expect((await failure(make(other))).message).toBe('vxlan id 5000 is in use');
  });
});

describe('the removal of a network', () => {
  const remove = (networkId: string) =>
    sim.control.removeNetwork(create(RemoveNetworkRequestSchema, { networkId }));

  it('is refused while a service or a task uses it', async () => {
    const id = (await make()).network?.id ?? '';
    const networks = [{ target: id }];
    await sim.put('service', { id: 's', spec: { task: { networks } } });
    expect(await failure(remove(id))).toMatchObject({
      code: Code.FAILED_PRECONDITION,
      message: `network ${id} is in use by service s`,
    });
    await sim.store.update((tx) => tx.remove('service', 's'));
    await sim.put('task', {
      id: 't',
      desiredState: TaskState.RUNNING,
      networks: [{ network: { id } }],
    });
    expect((await failure(remove(id))).message).toBe(`network ${id} is in use by task t`);
    await sim.store.update((tx) => tx.remove('task', 't'));
    await remove(id);
    expect((await failure(remove(id))).code).toBe(Code.NOT_FOUND);
  });

  it('does not wait until tasks of a removed service were told to end', async () => {
    const id = (await make()).network?.id ?? '';
    const task = { desiredState: TaskState.RUNNING, networks: [{ network: { id } }] };
    await sim.put('service', { id: 's' });
    await sim.put('task', { id: 't', serviceId: 's', ...task });
    expect((await failure(remove(id))).message).toBe(`network ${id} is in use by task t`);
    await sim.store.update((tx) => tx.remove('service', 's'));
    await remove(id);
    expect((await failure(remove(id))).code).toBe(Code.NOT_FOUND);
  });

  it('of the ingress network is refused while a service publishes; there is one of them', async () => {
    const { network } = await make({ ingress: true, driverConfig: { name: 'overlay' } });
    const id = network?.id ?? '';
    expect((await failure(make({ ingress: true, annotations: { name: 'b' } }))).message).toBe(
      `ingress network (${id}) is already present`,
    );
    await sim.put('service', { id: 's', spec: { endpoint: { ports: [{ publishedPort: 80 }] } } });
    expect((await failure(remove(id))).message).toBe(
      'ingress network cannot be removed because service s depends on it',
    );
    await sim.store.update((tx) => tx.remove('service', 's'));
    await remove(id);
    await make({ ingress: true, annotations: { name: 'mesh' } });
  });

  it('is refused for what every node has', async () => {
    const labels = { 'com.docker.swarm.predefined': 'true' };
    await sim.put('network', { id: 'h', spec: { annotations: { name: 'host', labels } } });
    expect((await failure(remove('h'))).message).toBe(
      'network h (host) is a swarm predefined network and cannot be removed',
    );
  });
});
