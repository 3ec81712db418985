import { SimClock, SimDisk, SimRandom, silentLogger } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { SimKernel } from '../kernel/simulated/kernel.js';
import { ENCRYPTION_LOOK_MS, OVERLAY_COMPARE_MS } from '../limits.js';
import type { DataPath } from '../overlay/plan.js';
import type { NftChange } from '../rules/nft.js';
import { networkOf, nodeOf, updateOf } from '../tables/objects.sim.js';
import { Tables } from '../tables/tables.js';
import { EncryptedWay } from './encrypted-way.js';
import { Ipsec } from './ipsec.js';
import { ipsecKeys } from './ipsec-keys.js';
import { keyPairOf, loadKeyPair } from './keys.js';
import { parameterIndex } from './security-plan.js';
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
let networks: { dataPath: DataPath; found: string[]; place(id: string): unknown };

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
  networks = {
    dataPath: { address: '192.168.9.1', udpPort: 4_789 },
    found: [],
    place: (id) => standing.has(id) || undefined,
  };
  way = wayOf({ hasWireGuard: true });
});

/** As after a restart of the daemon: the kernel is as it was, and nothing is known. */
function restarted(options: { hasWireGuard: boolean }): EncryptedWay {
  way.close();
  tables = new Tables();
  return wayOf(options);
}

function wayOf({ hasWireGuard }: { hasWireGuard: boolean }): EncryptedWay {
  const made = new EncryptedWay({
    kernel,
    logger: silentLogger,
    link: LINK,
    wireGuard,
    hasWireGuard,
    ipsec: new Ipsec(kernel),
    clock,
    tables,
    networks,
    table: TABLE,
  });
  tables.addReader(made);
  return made;
}

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

  it('is made anew within seconds when somebody has flushed the rules, or killed what encrypts', async () => {
    await carried(on('secret', 'n2'));
    await clock.advance(ENCRYPTION_LOOK_MS);
    const before = programs.calls.length;
    await clock.advance(ENCRYPTION_LOOK_MS);
    expect(programs.calls).toHaveLength(before);
    const flushed: NftChange = { kind: 'chain-add', table: TABLE, chain: 'leaving', rules: [] };
    await kernel.run([{ op: 'nft', namespace: '', changes: [flushed] }]);
    await clock.advance(ENCRYPTION_LOOK_MS);
    expect((await kernel.ruleCounts('', TABLE))?.get('leaving')).toBe(1);
    kernel.host.removeLink(LINK);
    await clock.advance(ENCRYPTION_LOOK_MS);
    expect(await links()).toContain(LINK);
  });

  it('is tried again at the next comparison, not all the time, where it fails', async () => {
    await carried(on('secret', 'n2'));
    programs.refusal = 'no';
    kernel.host.removeLink(LINK);
    await clock.advance(ENCRYPTION_LOOK_MS);
    const { length } = programs.calls;
    await clock.advance(ENCRYPTION_LOOK_MS * 3);
    expect(programs.calls).toHaveLength(length);
    programs.refusal = undefined;
    await clock.advance(OVERLAY_COMPARE_MS);
    expect(way.warnings()).toEqual([]);
  });

  it('is refused where it cannot be made, in words', async () => {
    programs.installed.delete('wg');
    await expect(carried(on('secret', 'n2'))).rejects.toThrow('wireguard-tools is not installed');
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

describe('Docker Engines on encrypted networks', () => {
  const engine = (nodeId: string, more = {}) =>
    on('secret', nodeId, { wireguardKey: new Uint8Array(), ownAgent: false, ...more });
  const told = (...times: number[]) =>
    ipsecKeys(
      times.map((time) => ({
        subsystem: 'networking:ipsec',
        key: new Uint8Array(16).fill(time),
        lamportTime: BigInt(time),
      })),
    );
  const rules = () => kernel.host.tables.get(TABLE)?.chains;
  const security = () => kernel.security('');
  const indexes = async (destination: string) => {
    const { associations } = await security();
    return associations.filter((one) => one.destination === destination).map(({ spi }) => spi);
  };
  const out = (tag: number) => parameterIndex('192.168.9.1', '192.168.9.2', tag);
  const back = (tag: number) => parameterIndex('192.168.9.2', '192.168.9.1', tag);

  it('are reached by IPsec, all others by WireGuard', async () => {
    await way.setKeys(told(7, 8, 9));
    await carried(engine('n2'), on('secret', 'n3'));
    expect(await indexes('192.168.9.2')).toEqual([out(8)]);
    expect(await indexes('192.168.9.1')).toEqual([back(7), back(8), back(9)]);
    const { policies } = await security();
    expect(policies).toMatchObject([
      { destination: '192.168.9.2', udpPort: 4_789, mark: 0xd0c4e3, spi: out(8) },
    ]);
    expect((await text()).match(/\[Peer\]/g)).toHaveLength(1);
    expect(way.warnings()).toEqual([]);
  });

  it('pass by rules that ask for IPsec, both ways', async () => {
    await way.setKeys(told(7, 8, 9));
    await carried(engine('n2'));
    const ofEngine = (rule: string) => rule.includes('192.168.9.2');
    expect(rules()?.get('arriving')?.filter(ofEngine)).toEqual([
      expect.stringMatching(/^ip saddr { 192.168.9.2 } meta secpath exists .* accept$/),
    ]);
    expect(rules()?.get('leaving')?.filter(ofEngine)).toEqual([
      expect.stringMatching(/^ip daddr { 192.168.9.2 } rt ipsec exists .* accept$/),
    ]);
    for (const chain of ['arriving', 'leaving']) {
      expect(rules()?.get(chain)?.at(-1)).toMatch(/^[io]ifname != "skep_wg" .* drop$/);
    }
  });

  it('keep their ways when keys rotate: the new one is heard before it is spoken', async () => {
    await way.setKeys(told(7, 8, 9));
    await carried(engine('n2'));
    const ops: string[] = [];
    kernel.refuse = ({ op }) => void (op.startsWith('xfrm') && ops.push(op));
    await way.setKeys(told(8, 9, 10));
    expect(await indexes('192.168.9.2')).toEqual([out(9)]);
    expect(await indexes('192.168.9.1')).toEqual([back(8), back(9), back(10)]);
    const trial = ['xfrm-state-add', 'xfrm-state-remove'];
    const added = ['xfrm-state-add', 'xfrm-state-add', 'xfrm-policy-add'];
    expect(ops).toEqual([...trial, ...added, 'xfrm-state-remove', 'xfrm-state-remove']);
  });

  it('are left as they are after a restart, until a manager tells the keys', async () => {
    await way.setKeys(told(7, 8, 9));
    await carried(engine('n2'));
    const before = await security();
    way = restarted({ hasWireGuard: true });
    await carried(engine('n2'));
    expect(await security()).toEqual(before);
    expect(rules()?.get('arriving')?.join()).toContain('192.168.9.2');
    await tables.update(updateOf(2n, { nodes: [engine('n3')] }));
    expect(way.warnings().join()).toMatch(/node n3: no manager has told the keys/);
    expect(way.warnings()).toHaveLength(1);
  });

  it('are sent nothing where the kernel has no ESP, and named', async () => {
    kernel.host.security.hasEsp = false;
    await way.setKeys(told(7, 8, 9));
    await carried(engine('n2'));
    expect(way.warnings()).toEqual([
      'nothing of encrypted networks is sent to node n2: the two have no WireGuard in common, and ' +
        'this kernel has no IPsec ESP with AES-GCM (modules esp4 and gcm; ENOSYS)',
    ]);
    expect(await security()).toEqual({ associations: [], policies: [] });
    for (const chain of rules()?.values() ?? []) expect(chain.join()).not.toContain('192.168.9.2');
  });

  it('go when they leave the network, and with the last network', async () => {
    await way.setKeys(told(7, 8, 9));
    await carried(engine('n2'), engine('n3'));
    const gone = [{ table: 'node', networkId: 'secret', id: 'n2' } as const];
    await tables.update(updateOf(2n, { gone }));
    expect(await indexes('192.168.9.2')).toEqual([]);
    expect(await indexes('192.168.9.3')).toHaveLength(1);
    const networksGone = [{ table: 'network', networkId: 'secret', id: '' } as const];
    await tables.update(updateOf(3n, { gone: networksGone }));
    expect(await security()).toEqual({ associations: [], policies: [] });
  });

  it('leave alone what other programs have', async () => {
    const foreign = {
      source: '192.168.9.1',
      destination: '192.168.9.7',
      spi: 5,
      requestId: 0xd0c4e3,
      key: new Uint8Array(20),
    };
    await kernel.run([{ op: 'xfrm-state-add', namespace: '', ...foreign }]);
    await way.setKeys(told(7, 8, 9));
    await carried(engine('n2'));
    await way.removeAll();
    expect(await security()).toEqual({ associations: [foreign], policies: [] });
  });
});

describe('a node with IPsec alone', () => {
  beforeEach(() => {
    way = restarted({ hasWireGuard: false });
    programs.installed.clear();
  });

  it('carries encrypted networks all the same', async () => {
    await way.setKeys(
      ipsecKeys([{ subsystem: 'networking:ipsec', key: new Uint8Array(16), lamportTime: 1n }]),
    );
    await tables.update(updateOf(1n, { networks: [SECRET], nodes: [on('secret', 'n2')] }));
    await way.prepare(SECRET);
    expect((await kernel.security('')).policies).toHaveLength(1);
    expect(await links()).not.toContain(LINK);
  });

  it('refuses them where it has none either, and says why', async () => {
    kernel.host.security.hasEsp = false;
    await expect(way.prepare(SECRET)).rejects.toThrow(
      'wireguard-tools is not installed, and this kernel has no IPsec ESP',
    );
    expect(await hasTable()).toBe(false);
  });
});

describe('what an earlier run left', () => {
  beforeEach(async () => {
    await carried(on('secret', 'n2'));
    way = restarted({ hasWireGuard: true });
  });
  const noNetworks = () => tables.update(updateOf(2n, { complete: true }));

  it('is taken down when no network needs it any more', async () => {
    await noNetworks();
    await clock.advance(OVERLAY_COMPARE_MS);
    expect(await links()).not.toContain(LINK);
    expect(await hasTable()).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it('stays while tunnels stand that nobody has judged', async () => {
    networks.found.push('ov-secret');
    await noNetworks();
    await clock.advance(OVERLAY_COMPARE_MS);
    expect(await hasTable()).toBe(true);
    networks.found.pop();
    await clock.advance(OVERLAY_COMPARE_MS);
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

  it('is one whose tunnels meet by IPv6, which no rule of ours would keep shut', async () => {
    networks.dataPath = { address: 'fd00::1', udpPort: 4_789 };
    await expect(way.prepare(SECRET)).rejects.toThrow('only what goes by IPv4 can be encrypted');
  });
});
