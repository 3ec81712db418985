import { SimClock, SimDisk, SimRandom, silentLogger } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { SimKernel } from '../kernel/simulated/kernel.js';
import { OVERLAY_COMPARE_MS } from '../limits.js';
import { networkOf, nodeOf, updateOf } from '../tables/objects.sim.js';
import { Tables } from '../tables/tables.js';
import { EncryptedWay } from './encrypted-way.js';
import { keyPairOf, loadKeyPair } from './keys.js';
import { WireGuard } from './wireguard.js';
import { SimWireGuardPrograms } from './wireguard.sim.js';

const LINK = 'skep_wg';
const TABLE = 'skep_enc';
const CONFIG = '/data/wireguard.conf';
const key = (byte: number) => new Uint8Array(32).fill(byte);
const SECRET = networkOf('secret', { encrypted: true });
const OPEN = networkOf('open');
const on = (networkId: string, nodeId: string, more = {}) =>
  nodeOf(nodeId, {
    networkId,
    wireguardKey: key(Number(nodeId[1])),
    wireguardPort: 7_947,
    ...more,
  });

let kernel: SimKernel;
let disk: SimDisk;
let programs: SimWireGuardPrograms;
let wireGuard: WireGuard;
let way: EncryptedWay;
let tables: Tables;
let clock: SimClock;

beforeEach(async () => {
  kernel = new SimKernel();
  disk = new SimDisk();
  await disk.makeDirectory('/data');
  await disk.makeDirectory('/dev/net');
  await disk.writeFileAtomic('/dev/net/tun', new Uint8Array());
  programs = new SimWireGuardPrograms(kernel);
  const shared = { kernel, logger: silentLogger, link: LINK };
  wireGuard = new WireGuard({
    ...shared,
    processes: programs,
    disk,
    directory: '/data',
    keys: keyPairOf(key(1)),
    port: 7_947,
    mtuBytes: 1_440,
  });
  tables = new Tables();
  clock = new SimClock();
  standing.clear();
  way = new EncryptedWay({
    ...shared,
    wireGuard,
    clock,
    tables,
    isStanding: (id) => standing.has(id),
    table: TABLE,
    vxlanPort: () => 4_789,
  });
  tables.addReader(way);
});

/** Networks whose tunnels stand. */
const standing = new Set<string>();

async function carried(...nodes: ReturnType<typeof on>[]) {
  await tables.update(updateOf(1n, { networks: [SECRET, OPEN], nodes }));
  await way.prepare(SECRET);
}

const text = async () => new TextDecoder().decode(await disk.readFile(CONFIG));
const links = async () => (await kernel.inspect('')).links.map(({ name }) => name);
const hasTable = async () => (await kernel.tableElements('', TABLE)) !== undefined;

describe('keys', () => {
  it('belong together as RFC 7748 says (6.1, the keys of Bob)', () => {
    const secret = '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb';
    const known = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f';
    const { publicKey } = keyPairOf(Buffer.from(secret, 'hex'));
    expect(Buffer.from(publicKey).toString('hex')).toBe(known);
  });

  it('are kept', async () => {
    const first = await loadKeyPair(disk, new SimRandom(1), '/data');
    expect(await loadKeyPair(disk, new SimRandom(2), '/data')).toEqual(first);
  });
});

describe('the encrypted way', () => {
  it('is not made while no network needs it', async () => {
    await tables.update(updateOf(1n, { networks: [OPEN], nodes: [on('open', 'n2')] }));
    await way.compare();
    expect(programs.calls).toEqual([]);
    expect(await hasTable()).toBe(false);
  });

  it('leads to the other nodes of encrypted networks, each for its own address alone', async () => {
    await carried(on('secret', 'n1'), on('secret', 'n2'), on('open', 'n3'));
    expect(await links()).toContain(LINK);
    expect(await hasTable()).toBe(true);
    expect(programs.calls.at(-1)).toBe(`wg syncconf ${LINK} ${CONFIG}`);
    const config = await text();
    expect(config).toContain(`PublicKey = ${Buffer.from(key(2)).toString('base64')}`);
    expect(config).toContain('Endpoint = 192.168.9.2:7947\nAllowedIPs = 192.168.9.2/32');
    expect(config.match(/\[Peer\]/g)).toHaveLength(1);
  });

  it('follows nodes that come', async () => {
    await carried(on('secret', 'n2'));
    await tables.update(updateOf(2n, { nodes: [on('secret', 'n3')] }));
    expect((await text()).match(/\[Peer\]/g)).toHaveLength(2);
  });

  it('takes the link of the kernel where it has one', async () => {
    programs.inKernel = true;
    await carried(on('secret', 'n2'));
    expect(programs.calls.some((call) => call.startsWith('wireguard-go'))).toBe(false);
    expect(await links()).toContain(LINK);
  });

  it('has its rules before its tunnels, and says when it has no tunnels', async () => {
    programs.refusal = 'Unable to modify interface';
    await expect(carried(on('secret', 'n2'))).rejects.toThrow('wg syncconf: Unable to modify');
    expect(await hasTable()).toBe(true);
    expect(way.warnings().join()).toContain('wg syncconf: Unable to modify interface');
    programs.refusal = undefined;
    await way.compare();
    expect(way.warnings()).toEqual([]);
  });

  it('is refused where it cannot be made, in words', async () => {
    programs.installed.delete('wg');
    await expect(carried(on('secret', 'n2'))).rejects.toThrow('wireguard-tools is not installed');
  });

  it('sends nothing to nodes without a key, and names them', async () => {
    await carried(on('secret', 'n2', { wireguardKey: new Uint8Array(), ownAgent: false }));
    expect(await text()).not.toContain('[Peer]');
    expect(way.warnings().join()).toContain('node n2 cannot take part in encrypted networks');
  });

  it('is taken down after the last network that needs it, not before its tunnels', async () => {
    await carried(on('secret', 'n2'));
    standing.add('secret');
    await tables.update(
      updateOf(2n, { gone: [{ table: 'network', networkId: 'secret', id: '' }] }),
    );
    expect(await hasTable()).toBe(true);
    standing.clear();
    await clock.advance(OVERLAY_COMPARE_MS);
    expect(await links()).not.toContain(LINK);
    expect(await hasTable()).toBe(false);
  });
});

describe('a node that cannot encrypt', () => {
  it.for([
    ['wg', 'wireguard-tools is not installed'],
    ['wireguard-go', 'wireguard-go is not installed'],
  ])('says that %s is missing', async ([program, words]) => {
    programs.installed.delete(program as string);
    expect(await wireGuard.problem()).toContain(words);
  });

  it('says that it has no TUN device', async () => {
    await disk.remove('/dev/net/tun');
    expect(await wireGuard.problem()).toContain('/dev/net/tun');
  });

  it('is one no more with WireGuard in its kernel', async () => {
    programs.installed.delete('wireguard-go');
    programs.inKernel = true;
    expect(await wireGuard.problem()).toBeUndefined();
    expect(await links()).not.toContain(LINK);
  });
});
