import { describe, expect, it } from 'vitest';
import { SimRefusal } from '../kernel/simulated/refusal.js';
import { INGRESS, published, SimMachine } from '../network.sim.js';

const INNER = '/run/netns/ingress';

async function started() {
  const machine = new SimMachine();
  const network = await machine.boot();
  await network.networking.restore([]);
  const { publisher } = network;
  const open = async () =>
    [...((await machine.kernel.tableElements('', 'skep'))?.get('published') ?? [])].map(
      ([key]) => key,
    );
  const backends = async () =>
    [...((await machine.kernel.tableElements(INNER, 'skep'))?.get('backends') ?? [])].map(
      ([, target]) => target,
    );
  return { machine, network, publisher, open, backends };
}

describe('MeshPublisher', () => {
  it('opens a port with its first task and closes it with its last', async () => {
    const { publisher, open, backends, machine } = await started();
    await publisher.configureNode(INGRESS);
    await publisher.activate(published('t1', '10.0.0.5'));
    await publisher.activate(published('t2', '10.0.0.6'));
    expect(await open()).toEqual(['tcp . 8080']);
    expect(await backends()).toEqual(['10.0.0.5 . 80', '10.0.0.6 . 80']);
    await publisher.deactivate('t1');
    expect(await backends()).toEqual(['10.0.0.6 . 80']);
    expect(machine.holder.held).toEqual(new Set(['tcp 8080 0.0.0.0']));
    await publisher.deactivate('t2');
    expect(await open()).toEqual([]);
    expect(machine.holder.held.size).toBe(0);
  });

  it('takes a change in one round trip to the kernel, and a repetition in none', async () => {
    const { publisher, machine } = await started();
    await publisher.configureNode(INGRESS);
    const before = machine.kernel.batches;
    await publisher.activate(published('t1', '10.0.0.5'));
    await publisher.activate(published('t1', '10.0.0.5'));
    expect(machine.kernel.batches - before).toBe(1);
    await publisher.deactivate('unknown');
    expect(machine.kernel.batches - before).toBe(1);
  });

  it('keeps tasks until there is an ingress network, and withdraws them with it', async () => {
    const { publisher, machine, open, backends } = await started();
    await publisher.activate(published('t1', '10.0.0.5'));
    expect(await open()).toEqual([]);
    await publisher.configureNode(INGRESS);
    expect(await open()).toEqual(['tcp . 8080']);
    expect(await backends()).toEqual(['10.0.0.5 . 80']);
    await publisher.configureNode(undefined);
    expect(await open()).toEqual([]);
    expect(machine.kernel.namespaces.has(INNER)).toBe(false);
  });

  it('follows an ingress network that was made anew', async () => {
    const { publisher, machine, backends } = await started();
    await publisher.configureNode(INGRESS);
    await publisher.activate(published('t1', '10.0.0.5'));
    const other = {
      ...INGRESS,
      networkId: 'n2',
      subnet: '10.7.0.0/24',
      nodeAddress: '10.7.0.2/24',
    };
    await publisher.configureNode(other);
    expect(machine.kernel.at(INNER).addresses).toContainEqual({
      link: 'br0',
      address: '10.7.0.2/24',
    });
    expect(await backends()).toEqual(['10.0.0.5 . 80']);
  });

  it('says which port another program listens on, and publishes it all the same', async () => {
    const { publisher, network, machine, open } = await started();
    await publisher.configureNode(INGRESS);
    machine.holder.occupy('tcp', 8080);
    await publisher.activate(published('t1', '10.0.0.5'));
    expect(await open()).toEqual(['tcp . 8080']);
    expect(network.warnings()).toEqual([expect.stringContaining('8080/tcp hides another program')]);
  });

  it('puts its tables in place whole when the kernel has others than it thought', async () => {
    const { publisher, machine, open, backends } = await started();
    await publisher.configureNode(INGRESS);
    await publisher.activate(published('t1', '10.0.0.5'));
    machine.kernel.at(INNER).tables.apply([{ kind: 'table-remove', table: 'skep' }]);
    await publisher.activate(published('t2', '10.0.0.6'));
    expect(await backends()).toEqual(['10.0.0.5 . 80', '10.0.0.6 . 80']);
    expect(await open()).toEqual(['tcp . 8080']);
  });

  it('tries again after a failure of which the caller was told', async () => {
    const { publisher, machine, backends } = await started();
    await publisher.configureNode(INGRESS);
    machine.kernel.refuse = (command) => {
      if (command.op === 'nft') throw new SimRefusal('ENOMEM', 'no memory');
    };
    await expect(publisher.activate(published('t1', '10.0.0.5'))).rejects.toThrow('no memory');
    machine.kernel.refuse = undefined;
    await publisher.activate(published('t2', '10.0.0.6'));
    expect(await backends()).toEqual(['10.0.0.5 . 80', '10.0.0.6 . 80']);
  });

  it('forgets datagram flows that went elsewhere before a port was published', async () => {
    const { publisher, machine } = await started();
    await publisher.configureNode(INGRESS);
    const task = published('t1', '10.0.0.5');
    const ports = [{ protocol: 'udp' as const, targetPort: 53, publishedPort: 5353 }];
    await publisher.activate({ ...task, ports });
    expect(machine.kernel.forgotten).toContainEqual({
      namespace: '',
      match: { protocol: 'udp', originPort: 5353 },
    });
  });
});
