import { describe, expect, it } from 'vitest';
import { plain, SimMachine } from '../network.sim.js';

async function started() {
  const network = await new SimMachine().boot();
  await network.networking.restore([]);
  return network;
}

describe('LocalNetworks', () => {
  it('lists bridge, host and none, and finds them by name, id and prefix', async () => {
    const { localNetworks } = await started();
    const rows = localNetworks.list().map(({ Name, Driver, Scope }) => [Name, Driver, Scope]);
    expect(rows).toEqual([
      ['bridge', 'bridge', 'local'],
      ['host', 'host', 'local'],
      ['none', 'null', 'local'],
    ]);
    const { Id } = localNetworks.inspect('host');
    expect(Id).toMatch(/^[0-9a-f]{64}$/);
    expect(localNetworks.inspect(Id).Name).toBe('host');
    expect(localNetworks.inspect(Id.slice(0, 12)).Name).toBe('host');
    expect(() => localNetworks.inspect('nosuch')).toThrow('network nosuch not found');
    expect(() => localNetworks.inspect('')).toThrow('not found');
  });

  it('shows the containers on a network', async () => {
    const { networking, localNetworks } = await started();
    const state = await networking.setUp(plain('a', { name: '/web' }));
    expect(localNetworks.inspect('bridge').Containers).toEqual({
      a: {
        Name: 'web',
        EndpointID: state.endpoints['bridge']?.EndpointID,
        MacAddress: '02:42:ac:11:00:02',
        IPv4Address: '172.17.0.2/16',
        IPv6Address: '',
      },
    });
    await networking.tearDown('a');
    expect(localNetworks.inspect('bridge').Containers).toEqual({});
  });

  it.each([
    [{ driver: ['bridge'] }, ['bridge']],
    [{ name: ['o'] }, ['host', 'none']],
    [{ scope: ['swarm'] }, []],
    [{ type: ['custom'] }, []],
    [{ type: ['builtin'] }, ['bridge', 'host', 'none']],
    [{ dangling: ['true'] }, []],
    [{ dangling: ['0'] }, ['bridge', 'host', 'none']],
    [{ label: ['x'] }, []],
    [{ driver: ['null'], name: ['none'] }, ['none']],
  ])('filters by %j', async (filters, names) => {
    const { localNetworks } = await started();
    expect(localNetworks.list(filters).map(({ Name }) => Name)).toEqual(names);
  });

  it('refuses filters that Docker does not know', async () => {
    const { localNetworks } = await started();
    expect(() => localNetworks.list({ colour: ['red'] })).toThrow("invalid filter 'colour'");
    expect(() => localNetworks.list({ dangling: ['maybe'] })).toThrow('invalid filter');
    expect(() => localNetworks.list({ type: ['x'] })).toThrow('invalid filter');
  });
});
