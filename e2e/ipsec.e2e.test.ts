import { KernelError, type Network, RealKernel, type SecurityPolicy } from '@skep/network';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OverlayLab, overlay } from './support/overlay-lab.ts';

/**
 * Encrypted networks with a Docker Engine in them, on the real kernel. Where that has no ESP, as many have not,
 * nothing may leave; where it has, nothing may leave in the clear.
 */

const SECRET = overlay('secret', { encrypted: true });
const OPEN = overlay('open', {
  subnets: [{ subnet: '10.8.0.0/24', gateway: '10.8.0.1', vni: 4_108 }],
});
const ENGINE = '198.51.100.2';
const IN_SECRET = '10.7.0.12';
const IN_OPEN = '10.8.0.12';

let lab: OverlayLab;
let network: Network;
let kernel: RealKernel;
let container: string;

const keys = (...times: number[]) =>
  times.map((time) => ({
    subsystem: 'networking:ipsec',
    key: new Uint8Array(16).fill(time),
    lamportTime: BigInt(time),
  }));

beforeAll(async () => {
  lab = await OverlayLab.start(1);
  network = lab.node(1).network;
  kernel = new RealKernel();
  await lab.tellNetworks(SECRET, OPEN);
  container = await lab.run(1, 'a', [
    [SECRET, '10.7.0.11/24'],
    [OPEN, '10.8.0.11/24'],
  ]);
  // Nobody is there, but packets find their way.
  await lab.within(1, `ip neigh add ${ENGINE} lladdr 02:00:00:00:00:02 dev cable nud permanent`);
  await network.encryption.setKeys(keys(1, 2, 3));
  await network.tables.update({
    version: 9n,
    complete: false,
    networks: [],
    services: [],
    gone: [],
    nodes: [SECRET, OPEN].map(({ id }) => engineIn(id)),
    endpoints: [endpointIn(SECRET.id, IN_SECRET), endpointIn(OPEN.id, IN_OPEN)],
  });
});
afterAll(async () => {
  await kernel?.close();
  await lab?.cleanUp();
});

const engineIn = (networkId: string) => ({
  networkId,
  nodeId: 'engine',
  address: networkId === SECRET.id ? '10.7.0.3/24' : '10.8.0.3/24',
  tunnelAddress: ENGINE,
  ownAgent: false,
  wireguardKey: new Uint8Array(),
  wireguardPort: 0,
  down: false,
});

const endpointIn = (networkId: string, address: string) => ({
  networkId,
  id: `at-${address}`,
  nodeId: 'engine',
  addresses: [`${address}/24`],
  serviceId: '',
  name: 'far',
  aliases: [],
  slot: 0,
  ready: true,
  ports: [],
});

/** What leaves for the engine when the container pings an address there. */
async function leaving(address: string): Promise<string> {
  const ping = `nsenter --net=${container} busybox ping -c 2 -W 1 ${address} >&2 || true`;
  const capture = `timeout 3 tcpdump -i cable -n -l --immediate-mode host ${ENGINE}`;
  return await lab.within(1, `${capture} & sleep 1; ${ping}; wait || true`);
}

describe('a Docker Engine on an encrypted network', () => {
  it('is sent nothing in the clear: by ESP, or nothing', async () => {
    expect(await leaving(IN_OPEN)).toMatch(/4789: VXLAN.* vni 4108/);
    const seen = await leaving(IN_SECRET);
    expect(seen).not.toMatch(/VXLAN|4789|7947/);
    if (network.encryption.hasIpsec) expect(seen).toMatch(/ESP\(spi=/);
    else expect(seen).toBe('');
  });

  it('is named, with the reason, where this kernel cannot reach it', () => {
    const expected = network.encryption.hasIpsec
      ? []
      : [expect.stringMatching(/node engine: .* this kernel has no IPsec ESP with AES-GCM/)];
    expect(network.warnings().filter((text) => text.includes('encrypted'))).toEqual(expected);
  });
});

describe('IPsec of the kernel', () => {
  const policy: SecurityPolicy = {
    source: '198.51.100.1',
    destination: '198.51.100.77',
    udpPort: 4_789,
    mark: 5,
    spi: 0x2da3_35ee,
    requestId: 77,
  };
  const ours = async () =>
    (await kernel.security('')).policies.filter(({ requestId }) => requestId === 77);

  it('takes policies, changes them in place, shows them, and removes them', async () => {
    const at = { namespace: '' };
    await kernel.run([{ op: 'xfrm-policy-add', ...at, ...policy }]);
    await kernel.run([{ op: 'xfrm-policy-add', ...at, ...policy, spi: 9 }]);
    expect(await ours()).toEqual([{ ...policy, spi: 9 }]);
    await kernel.run([{ op: 'xfrm-policy-remove', ...at, ...policy }]);
    expect(await ours()).toEqual([]);
    const again = kernel.run([{ op: 'xfrm-policy-remove', ...at, ...policy }]);
    await expect(again).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('takes associations, or says that it knows no such cipher', async () => {
    const { source, destination, spi, requestId } = policy;
    const key = Uint8Array.from({ length: 20 }, (_, place) => place + 1);
    const association = { source, destination, spi, requestId, key };
    const made = kernel.run([{ op: 'xfrm-state-add', namespace: '', ...association }]);
    const refusal = await made.catch((error: unknown) => error);
    expect(refusal instanceof KernelError).toBe(!network.encryption.hasIpsec);
    const { associations } = await kernel.security('');
    const found = associations.filter((one) => one.destination === destination);
    expect(found).toMatchObject(network.encryption.hasIpsec ? [association] : []);
    const gone = kernel.run([{ op: 'xfrm-state-remove', namespace: '', ...association }], {
      onRefusal: 'continue',
    });
    await expect(gone).resolves.toBeUndefined();
  });
});
