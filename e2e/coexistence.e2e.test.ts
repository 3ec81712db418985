import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { until } from './support/exec.ts';
import {
  killFirewalld,
  prepareUfw,
  rulesOfHost,
  runFirewalld,
  SecondEngine,
  startFirewalld,
} from './support/foreign-firewalls.ts';
import { inNetworkOf, placed } from './support/overlay-scene.ts';
import { type Outcome, Place, probe } from './support/probe.ts';
import { IMAGE } from './support/sample.ts';
import { PATIENCE_MS } from './support/swarm-view.ts';

/**
 * Firewalls of others on our nodes, the real programs: ufw and a Docker Engine on node1, firewalld on
 * node2. Where the kernel has br_netfilter, they are given bridged frames, too.
 */

const [FIRST, SECOND] = ['node1', 'node2'] as const;
const OUTSIDER = 'outsider';
const PORTS = { near: 8_081, far: 8_082, plain: 8_083 };
/** That other nodes come by. */
const SWARM_PORTS = ['2377/tcp', '7946/tcp', '7946/udp', '4789/udp', '7947/udp'];

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

let cluster: TestCluster;
let outsider: Place;
let outside: Server;
/** Of a server outside of the cluster, and who asked it last. */
let outsideUrl: string;
let lastAsker = '';
let rulesBefore: string;
/** Of each node: a container of its bridge, its neighbour's address, and one on the overlay network. */
const places = new Map<string, Places>();

interface Places {
  plain: Place;
  neighbour: string;
  attached: Place;
}

beforeAll(async () => {
  rulesBefore = await rulesOfHost();
  cluster = await TestCluster.swarm([FIRST], [SECOND]);
  await cluster.machines.create([OUTSIDER], ['--engine', 'none']);
  outsider = await Place.machine(cluster.machines, OUTSIDER);
  await serveOutside();
  await prepareUfw(cluster.machines, FIRST);
  await onFirst('ufw --force enable');
  await cluster.docker('network', 'create', '-d', 'overlay', '--attachable', 'net');
  for (const [name, node] of [
    ['near', FIRST],
    ['far', SECOND],
  ] as const) {
    const where = ['--constraint', `node.hostname==${node}`, '--network', 'net'];
    await cluster.create('--name', name, ...where, '-p', `${PORTS[name]}:80`, ...probe());
  }
  await Promise.all([placed(cluster, 'near', 1), placed(cluster, 'far', 1)]);
  await Promise.all([FIRST, SECOND].map(startContainers));
});
afterAll(async () => {
  await cluster?.cleanUp();
  outside?.close();
  expect(await rulesOfHost()).toBe(rulesBefore);
});

async function serveOutside(): Promise<void> {
  outside = createServer(({ socket }, answer) => {
    lastAsker = socket.remoteAddress?.replace('::ffff:', '') ?? '';
    answer.end(JSON.stringify({ name: 'outside', from: lastAsker }));
  });
  await new Promise<void>((resolve) => outside.listen(0, resolve));
  const host = (await cluster.machines.address(OUTSIDER)).replace(/\d+$/, '1');
  outsideUrl = `http://${host}:${(outside.address() as AddressInfo).port}/`;
}

async function startContainers(node: string): Promise<void> {
  const run = async (name: string, ...flags: string[]) => {
    const command = ['run', '-d', '--stop-timeout', '1', ...flags, ...probe([], name)];
    return await cluster.dockerOn(node, ...command);
  };
  const at = (id: string) => Place.container(cluster.machines, node, id);
  const plain = await run('plain', '-p', `${PORTS.plain}:80`);
  const other = await run('neighbour');
  const format = '{{.NetworkSettings.IPAddress}}';
  const neighbour = await cluster.dockerOn(node, 'inspect', '-f', format, other);
  const attached = at(await run('attached', '--network', 'net'));
  places.set(node, { plain: at(plain), neighbour, attached });
}

function placesOf(node: string): Places {
  const found = places.get(node);
  if (!found) throw new Error(`no containers on ${node}`);
  return found;
}

/** What answers, way by way. */
async function reached(node: string): Promise<Record<string, boolean>> {
  const { plain, neighbour, attached } = placesOf(node);
  const far = node === FIRST ? 'far' : 'near';
  const ask = async (place: Place, url: string) => isAnswer(await place.get(url));
  const ways = {
    'way out from the bridge': ask(plain, outsideUrl),
    'way out beside the overlay network': ask(attached, outsideUrl),
    'neighbour on the bridge': ask(plain, `http://${neighbour}/`),
    'other node by the overlay network': ask(attached, `http://${far}/`),
    ...(await published(node)),
  };
  const names = Object.keys(ways) as (keyof typeof ways)[];
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await ways[name]] as const)),
  );
}

/** The same of published ports, asked from outside. */
async function published(node: string): Promise<Record<string, Promise<boolean>>> {
  const address = await cluster.machines.address(node);
  return Object.fromEntries(
    Object.entries(PORTS).map(([name, port]) => [
      `published port of ${name}`,
      outsider.get(`http://${address}:${port}/`).then(isAnswer),
    ]),
  );
}

function isAnswer([outcome]: Outcome[]): boolean {
  return typeof outcome === 'object';
}

const missing = (ways: Record<string, boolean>) => Object.keys(ways).filter((name) => !ways[name]);

async function untilAllReached(node: string): Promise<void> {
  await until(
    async () => missing(await reached(node)),
    (names) => names.length === 0,
    PATIENCE_MS,
  );
}

const warnings = (node: string) =>
  cluster.dockerOn(node, 'info', '-f', '{{range .Warnings}}{{println .}}{{end}}');

const untilWarned = (node: string, text: RegExp | string) =>
  until(
    () => warnings(node).catch(() => ''),
    (all) => (typeof text === 'string' ? all.includes(text) : text.test(all)),
    PATIENCE_MS,
  );

const onFirst = (command: string) => cluster.machines.ssh(FIRST, command);
const onSecond = (command: string) => cluster.machines.ssh(SECOND, command);

/** The kernel's rules go on; the engine starts again by itself. */
async function killDaemon(node: string): Promise<void> {
  await cluster.machines.ssh(node, 'kill -9 $(cat /var/lib/skep/skepd.lock)');
}

async function untilUp(node: string): Promise<void> {
  await until(
    () => cluster.machines.dockerResult(node, ['info']),
    ({ code }) => code === 0,
    PATIENCE_MS,
  );
}

describe('ufw, which denies and forwards nothing by default', () => {
  let status: string;

  it('keeps other nodes out, as it should, until it is told of the swarm’s ports, which are named', async () => {
    const text = await untilWarned(FIRST, 'does not answer through its tunnel');
    expect(text).toContain("the firewall's chain ip filter INPUT keeps out what it does not know");
    for (const port of SWARM_PORTS) expect(text).toContain(port.split('/')[0]);
    const ways = missing(await reached(FIRST));
    expect(ways.sort()).toEqual(['other node by the overlay network', 'published port of far']);
    await onFirst(SWARM_PORTS.map((port) => `ufw allow ${port}`).join('; '));
    status = await onFirst('ufw status verbose');
    await untilAllReached(FIRST);
  });

  it('still denies what its own rules deny', async () => {
    const { hostname, port } = new URL(outsideUrl);
    const rule = `deny to ${hostname} port ${port} proto tcp`;
    await onFirst(`ufw route ${rule}`);
    expect(missing(await reached(FIRST)).sort()).toEqual([
      'way out beside the overlay network',
      'way out from the bridge',
    ]);
    await onFirst(`ufw route delete ${rule}`);
  });

  it('is reloaded, and our daemon killed: all ways work meanwhile or again, its status is the same', async () => {
    await onFirst('ufw reload');
    await untilAllReached(FIRST);
    await killDaemon(FIRST);
    const ways = Object.values(await published(FIRST));
    expect(await Promise.all(ways)).toEqual([true, true, true]);
    await untilUp(FIRST);
    await untilAllReached(FIRST);
    expect(await onFirst('ufw status verbose')).toBe(status);
  });

  it('has nothing of ours any more where it forwards all', async () => {
    await onFirst('ufw disable');
    await until(
      () => onFirst('iptables-save'),
      (all) => !all.includes('SKEP'),
    );
  });
});

describe('a Docker Engine on the same host, which drops what it does not forward', () => {
  let engine: SecondEngine;
  let address: string;
  let theirs: string;
  let hidden: string;

  beforeAll(async () => {
    engine = new SecondEngine(cluster.machines, FIRST);
    address = await cluster.machines.address(FIRST);
    // It drops where it was the one to turn forwarding on.
    await onFirst('sysctl -qw net.ipv4.ip_forward=0');
    await engine.start();
    expect(await onFirst('iptables -S FORWARD')).toContain('-P FORWARD DROP');
    await engine.load();
    theirs = await engine.docker(`run -d --restart always -p 8090:80 ${IMAGE}`);
    const id = await engine.docker(`run -d ${IMAGE}`);
    hidden = await engine.docker(`inspect -f '{{.NetworkSettings.IPAddress}}' ${id}`);
  });

  const theirsAsk = async (url: string) =>
    (await engine.docker(`exec ${theirs} timeout 3 wget -qO- ${url} || true`)) !== '';

  const theirPort = async () => {
    const ask = `curl -s --max-time 3 http://${address}:8090/ || true`;
    return (await cluster.machines.ssh(OUTSIDER, ask)).startsWith('Hello');
  };

  it('has its containers’ ways, and ours have theirs', async () => {
    await untilAllReached(FIRST);
    expect(await theirsAsk(outsideUrl)).toBe(true);
    expect(await theirPort()).toBe(true);
  });

  it('meets ours at published ports, in both directions, and nowhere else', async () => {
    const { plain, neighbour } = placesOf(FIRST);
    expect(await theirsAsk(`http://${address}:${PORTS.near}/`)).toBe(true);
    expect(await theirsAsk(`http://${neighbour}/`)).toBe(false);
    // The answer is no JSON: who gets it says so.
    await expect(plain.get(`http://${address}:8090/`)).rejects.toThrow('JSON');
    expect(isAnswer(await plain.get(`http://${hidden}/`))).toBe(false);
  });

  it('is started again, and so is ours, and neither cuts the other off', async () => {
    await engine.stop();
    await engine.start();
    await untilAllReached(FIRST);
    await killDaemon(FIRST);
    expect(await theirsAsk(outsideUrl)).toBe(true);
    expect(await theirPort()).toBe(true);
    await engine.stop();
  });
});

describe('rules of an administrator', () => {
  it('that forward nothing: they are named, with commands that suffice', async () => {
    const chain = 'type filter hook forward priority 0; policy drop;';
    await inNetworkOf(
      cluster.machines,
      SECOND,
      `nft 'table inet own { chain forward { ${chain} }; }'`,
    );
    const text = await untilWarned(SECOND, 'chain inet own forward drops forwarded packets');
    const [, commands = ''] = /\((nft insert [^)]*)\)/.exec(text) ?? [];
    await inNetworkOf(cluster.machines, SECOND, commands);
    await untilAllReached(SECOND);
  });

  it('that are loaded anew, all others’ flushed: ours are back within seconds', async () => {
    await inNetworkOf(cluster.machines, SECOND, 'nft flush ruleset');
    await untilAllReached(SECOND);
  });
});

describe('firewalld, which rejects what it does not know', () => {
  const zones = () => onSecond('firewall-cmd --get-active-zones');
  const untilZoned = () =>
    until(zones, (text) => /trusted\n\s+interfaces: skep0 skep_gw/.test(text));

  beforeAll(async () => {
    await startFirewalld(cluster.machines, SECOND);
    const ports = SWARM_PORTS.map((port) => `--add-port=${port}`).join(' ');
    await onSecond(`firewall-cmd -q --permanent ${ports}; firewall-cmd -q ${ports}`);
  });

  it('lets ours through, in a zone of its own making', async () => {
    await untilZoned();
    await untilAllReached(SECOND);
    expect(lastAsker).toBe(await cluster.machines.address(SECOND)); // the node's, not a container's
  });

  it('is reloaded, and killed and started again: ours are back within seconds', async () => {
    await onSecond('firewall-cmd -q --reload');
    await untilZoned();
    await killFirewalld(cluster.machines, SECOND);
    await runFirewalld(cluster.machines, SECOND);
    await untilZoned();
    await untilAllReached(SECOND);
  });

  it('is left alone by a daemon that is told so, which names it', async () => {
    await onSecond(`echo '{"iptables": false}' >/var/lib/skep/daemon.json`);
    await killDaemon(SECOND);
    const text = await untilWarned(SECOND, 'firewalld rejects what comes from links');
    expect(text).toContain('firewall-cmd --permanent --zone=trusted --add-interface=LINK');
    expect(await zones()).not.toContain('skep');
  });
});
