import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from './support/exec.ts';
import { VIP, VipLab } from './support/vip-lab.ts';

/** Virtual IPs on the real kernel: containers 1 and 2 serve, 9 asks. */

let lab: VipLab;
let version = 0n;

const SERVICE = {
  networkId: 'net',
  serviceId: 'web',
  name: 'web',
  aliases: [],
  virtualIp: VIP,
  clientAffinity: false,
};
const NETWORK = {
  id: 'net',
  name: 'net',
  subnets: [{ subnet: '10.99.1.0/24', gateway: '10.99.1.254', vni: 4_097 }],
  mtuBytes: 0,
  encrypted: false,
  internal: false,
  ingress: false,
  nodeAddress: '10.99.1.254/24',
};

function endpoint(number: number, ready = true) {
  const addresses = [`10.99.1.${number}/24`];
  const names = { name: `web.${number}`, aliases: [], slot: number };
  const ids = { networkId: 'net', id: `t${number}`, nodeId: 'n1', serviceId: 'web' };
  return { ...ids, ...names, addresses, ready, ports: [] };
}

/** All there is: these tasks of the one service. */
function serve(endpoints: ReturnType<typeof endpoint>[], service = SERVICE): Promise<void> {
  const rows = { networks: [NETWORK], nodes: [], services: [service], endpoints, gone: [] };
  return lab.tables.update({ version: ++version, complete: true, ...rows });
}

const askers = (answers: string[]) => [...new Set(answers)].sort();

beforeAll(async () => {
  lab = await VipLab.start();
  for (const number of [1, 2, 9]) await lab.attach(number);
  for (const number of [1, 2]) await lab.serve(number);
});
afterAll(() => lab?.cleanUp());
beforeEach(() => serve([endpoint(1), endpoint(2)]));

const BOTH = ['c1 10.99.1.9', 'c2 10.99.1.9'];

describe('a virtual IP', () => {
  it.each(['tcp', 'udp'])('leads to all ready tasks by %s, who see who asks', async (protocol) => {
    expect(askers(await lab.ask(9, 16, protocol))).toEqual(BOTH);
  });

  it('answers to ping', async () => {
    const { code, output } = await lab.run(9, 'busybox', 'ping', '-c', '1', '-W', '1', VIP);
    expect(output).toContain(`from ${VIP}`);
    expect(code).toBe(0);
  });

  it('leads a task of the service to its own kind, itself among them', async () => {
    const own = ['c1 10.99.1.1', 'c2 10.99.1.1'];
    expect(askers(await lab.ask(1, 16))).toEqual(own);
    expect(askers(await lab.ask(1, 16, 'udp'))).toEqual(own);
    await serve([endpoint(1)]);
    expect(await lab.open(1).hears()).toBe('c1 10.99.1.1');
  });

  it('refuses at once while nobody is ready', async () => {
    await serve([endpoint(1, false)]);
    expect(await lab.ask(9, 1)).toEqual(['ECONNREFUSED']);
    expect(await lab.ask(9, 1, 'udp')).toEqual(['ECONNREFUSED']);
    expect((await lab.run(9, 'busybox', 'ping', '-c', '1', '-W', '1', VIP)).code).not.toBe(0);
  });

  it('keeps a client with its task where the service asks for it', async () => {
    await serve([endpoint(1), endpoint(2)], { ...SERVICE, clientAffinity: true });
    expect(askers(await lab.ask(9, 12))).toHaveLength(1);
  });
});

describe('a flow through a virtual IP', () => {
  it('goes on by TCP while its task drains; datagrams move at once', async () => {
    await serve([endpoint(1)]);
    const [connection, datagrams] = [lab.open(9), lab.open(9, 'udp')];
    expect(await connection.hears()).toBe('c1 10.99.1.9');
    expect(await datagrams.say('?')).toBe('c1 10.99.1.9');
    await serve([endpoint(1, false), endpoint(2)]);
    expect(await connection.say('still there')).toBe('still there');
    await until(
      () => datagrams.say('?'),
      (answer) => answer === 'c2 10.99.1.9',
      1_000,
    );
    expect(askers(await lab.ask(9, 8))).toEqual(['c2 10.99.1.9']);
  });

  it.each([
    ['another task', [endpoint(2)]],
    ['nobody', []],
  ])('ends with a reset when its task is gone and %s is left', async (_, left) => {
    await lab.attach(3 + left.length);
    await lab.serve(3 + left.length);
    await serve([endpoint(3 + left.length)]);
    const connection = lab.open(9);
    expect(await connection.hears()).toMatch(/^c[34] /);
    await lab.unplug(3 + left.length);
    await serve(left);
    expect(await connection.say('anybody there?')).toBe('ECONNRESET');
  });

  it('outlives the daemon, whose next run changes nothing that is right', async () => {
    const connection = lab.open(9);
    const name = await connection.hears();
    await lab.restart();
    expect(await connection.say('one')).toBe('one');
    await serve([endpoint(1), endpoint(2)]);
    expect(await connection.say('two')).toBe('two');
    expect(name).toMatch(/^c[12] /);
    expect(askers(await lab.ask(9, 16))).toEqual(BOTH);
  });
});

it('is translated again soon after somebody in the container spoilt the table', async () => {
  for (const spoil of [
    'flush ruleset',
    'flush chain ip skep output',
    'flush map ip skep backends',
  ]) {
    const { code } = await lab.run(9, 'nft', spoil);
    expect(code).toBe(0);
    await until(
      () => lab.ask(9, 12).then(askers),
      (seen) => seen.join() === BOTH.join(),
    );
  }
});

it('knows the ports that a container listens on for others', async () => {
  const ports = (number: number) => lab.kernel.listeningPorts(lab.namespaceOf(`c${number}`));
  await serve([endpoint(2)]);
  const flow = lab.open(9);
  await flow.hears();
  expect(await ports(2)).toEqual([80]);
  expect(await ports(9)).toEqual([]);
});

it('counts who is connected to a container, and not whom the container calls', async () => {
  const count = (number: number) => lab.kernel.inboundConnections(lab.namespaceOf(`c${number}`));
  await serve([endpoint(2)]);
  const before = { here: await count(2), there: await count(9) };
  const flow = lab.open(9);
  await flow.hears();
  expect(await count(2)).toBe(before.here + 1);
  expect(await count(9)).toBe(before.there);
});
