import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Cfssl } from './support/cfssl.ts';
import { TestCluster } from './support/cluster.ts';
import { certificateOf } from './support/docker-engine.ts';
import { must, until } from './support/exec.ts';
import { IMAGE } from './support/sample.ts';
import { IDLE, PATIENCE_MS } from './support/swarm-view.ts';

/** How nodes become, stay and cease to be members of a swarm, beyond what tutorials show. */

const BAD_TOKEN =
  'Error response from daemon: rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster';
const NOT_FOR_WORKERS =
  "Error response from daemon: This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.";

/** Each test waits for several states, each with the patience of a busy machine. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

let cluster: TestCluster;

async function joinWith(machine: string, token: string, ...flags: string[]): Promise<string> {
  const remote = await cluster.remote(cluster.manager);
  return await cluster.dockerOn(machine, 'swarm', 'join', '--token', token, ...flags, remote);
}

/** Validity of a machine's certificate from now on, ms. */
function validForMs(machine: string): number {
  const path = join(cluster.machines.storage, machine, 'data/swarm/certificates/swarm-node.crt');
  return Date.parse(new X509Certificate(readFileSync(path)).validTo) - Date.now();
}

/** Ends a machine's engine at once and waits until it has been started again. */
async function restartEngine(machine: string): Promise<void> {
  const pid = () => cluster.machines.ssh(machine, 'cat /var/lib/skep/skepd.lock');
  const before = await pid();
  await cluster.machines.ssh(machine, `kill -9 ${before}`);
  await until(pid, (now) => now !== before);
  await until(
    () => cluster.machines.dockerResult(machine, ['version']),
    ({ code }) => code === 0,
  );
}

describe('joining', () => {
  beforeAll(async () => {
    cluster = await TestCluster.machines('mgr1', 'mgr2', 'worker1', 'worker2');
    await cluster.init();
  });
  afterAll(() => cluster?.cleanUp());

  it('takes an availability', async () => {
    await cluster.join('worker1', 'worker', '--availability', 'drain');
    expect(await cluster.node('worker1')).toMatch(/^Ready Drain {2}/);
    await cluster.join('worker2', 'worker', '--availability', 'pause');
    expect(await cluster.node('worker2')).toMatch(/^Ready Pause {2}/);
    const invalid = [
      'swarm',
      'join',
      '--availability',
      'away',
      '--token',
      await cluster.token('worker'),
    ];
    const remote = await cluster.remote('mgr1');
    expect(await cluster.machines.dockerFails('mgr2', ...invalid, remote)).toContain(
      'invalid availability "away", only active, pause and drain are supported',
    );
    for (const name of ['worker1', 'worker2']) {
      await cluster.dockerOn(name, 'swarm', 'leave');
      await cluster.docker('node', 'rm', '--force', name);
    }
  });

  it('takes a listening address and one to advertise, and others join there', async () => {
    const [listen, other] = [
      `${await cluster.machines.address('mgr2')}:7377`,
      await cluster.remote('mgr1'),
    ];
    const addresses = ['--listen-addr', 'eth0:7377', '--advertise-addr', listen];
    await cluster.join('mgr2', 'manager', ...addresses);
    const [address] = (
      await cluster.docker('node', 'inspect', '-f', '{{.ManagerStatus.Addr}}', 'mgr2')
    ).split('\n');
    expect(address).toBe(listen);
    const listening = await cluster.machines.ssh('mgr2', 'ss -Hltn sport = :7377 or sport = :2377');
    expect(listening).toMatch(new RegExp(`^LISTEN .* ${listen} .*$`));
    const token = await cluster.token('worker');
    const joined = ['swarm', 'join', '--token', token, listen];
    expect(await cluster.dockerOn('worker1', ...joined)).toBe(
      'This node joined a swarm as a worker.',
    );
    const managers = await cluster.dockerOn(
      'worker1',
      'info',
      '-f',
      '{{json .Swarm.RemoteManagers}}',
    );
    expect(
      JSON.parse(managers)
        .map(({ Addr }: { Addr: string }) => Addr)
        .sort(),
    ).toEqual([listen, other].sort());
  });

  it('takes an address for data, and refuses what is none', async () => {
    const join = ['swarm', 'join', '--token', await cluster.token('worker')];
    const remote = await cluster.remote('mgr1');
    const refused = (address: string) =>
      cluster.machines.dockerFails('worker2', ...join, '--data-path-addr', address, remote);
    for (const address of ['0.0.0.0', 'eth7', '10.0.0.1:4789']) {
      expect(await refused(address)).toContain(
        'data path address must be a non-zero IP address or network interface (without a port number)',
      );
    }
    expect(await cluster.membership('worker2')).toBe('inactive');
    const said = await joinWith(
      'worker2',
      await cluster.token('worker'),
      '--data-path-addr',
      'eth0',
    );
    expect(said).toBe('This node joined a swarm as a worker.');
    const address = await cluster.machines.address('worker2');
    expect(await cluster.dockerOn('worker2', 'info', '-f', '{{.Swarm.NodeAddr}}')).toBe(address);
    await cluster.untilNode('worker2', /^Ready Active/);
  });

  it('is refused with a token that was rotated; the new one works, and the other stays', async () => {
    await cluster.dockerOn('worker2', 'swarm', 'leave');
    const manager = await cluster.token('manager');
    const before = await cluster.token('worker');
    const said = await cluster.docker('swarm', 'join-token', '--rotate', 'worker');
    expect(said).toMatch(
      /^Successfully rotated worker join token\.\n\nTo add a worker to this swarm, run the following command:\n\n {4}docker swarm join --token SWMTKN-1-/,
    );
    const after = await cluster.token('worker');
    expect(said).toContain(after);
    expect(after).not.toBe(before);
    expect(await cluster.token('manager')).toBe(manager);
    const old = ['swarm', 'join', '--token', before, await cluster.remote('mgr1')];
    expect(await cluster.machines.dockerFails('worker2', ...old)).toBe(BAD_TOKEN);
    expect(await cluster.membership('worker2')).toBe('inactive');
    await joinWith('worker2', after);
    await cluster.docker('swarm', 'join-token', '--rotate', '-q', 'manager');
    expect(await cluster.token('manager')).not.toBe(manager);
    expect(await cluster.token('worker')).toBe(after);
    await cluster.untilNodes(
      (nodes) => nodes.filter(({ status }) => status === 'Ready').length === 4,
    );
  });
});

const EVERYONE = ['mgr1', 'mgr2', 'worker1', 'worker2'];

describe('certificates', () => {
  beforeAll(async () => {
    cluster = await TestCluster.swarm(['mgr1', 'mgr2'], ['worker1', 'worker2']);
  });
  afterAll(() => cluster?.cleanUp());

  /** Waits until all nodes trust a root alone, and have certificates of it. */
  async function untilTrusted(root: string): Promise<void> {
    for (const name of EVERYONE) {
      await until(
        async () => certificateOf(cluster.machines, name, 'skepd'),
        ({ issuedBy, rootPem }) => rootPem.trim() === root.trim() && issuedBy(root),
      );
    }
    const tls = ['node', 'ls', '--format', '{{.TLSStatus}}'];
    await until(
      () => cluster.docker(...tls),
      (text) => text === 'Ready\nReady\nReady\nReady',
    );
  }

  it('are valid for as long as the swarm says from their next renewal on', async () => {
    expect(await cluster.docker('swarm', 'update', '--cert-expiry', '48h')).toBe('Swarm updated.');
    const expiry = ['info', '-f', '{{.Swarm.Cluster.Spec.CAConfig.NodeCertExpiry}}'];
    expect(await cluster.dockerOn('mgr2', ...expiry)).toBe('48h0m0s');
    expect(validForMs('worker1')).toBeGreaterThan(80 * 24 * 3600e3);
  });

  it('and roots are replaced under running tasks, tokens with them', async () => {
    await cluster.create('--name', 'steady', '--mode', 'global', ...IDLE);
    const running = await cluster.containerIds('steady', 4);
    const [before, token] = [await cluster.docker('swarm', 'ca'), await cluster.token('worker')];
    const shown = await cluster.docker('swarm', 'ca', '--rotate');
    expect(shown).toMatch(/desired root digest: sha256:[0-9a-f]{64}/);
    expect(shown).toMatch(/rotated TLS certificates: /);
    expect(shown).toMatch(/rotated CA certificates: /);
    const root = await cluster.docker('swarm', 'ca');
    expect(root).not.toBe(before);
    expect(shown).toContain(root.trim());
    await untilTrusted(root);
    for (const name of EVERYONE) {
      expect(validForMs(name)).toBeLessThanOrEqual(49.1 * 3600e3);
      expect(validForMs(name)).toBeGreaterThan(46 * 3600e3);
    }
    expect(await cluster.containerIds('steady', 4)).toEqual(running);
    expect(await cluster.token('worker')).not.toBe(token);
    await cluster.docker('service', 'update', '-d', '--env-add', 'A=1', 'steady');
    await until(
      () => cluster.containerIds('steady', 4),
      (ids) => !ids.some((id) => running.includes(id)),
    );
    await cluster.remove('steady');
  });

  it('may come from a root that the user brings', async () => {
    const { directory } = cluster.machines;
    const [key, root] = [join(directory, 'root.key'), join(directory, 'root.crt')];
    const parameters = ['-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650'];
    const files = ['-keyout', key, '-out', root];
    const request = ['req', '-x509', '-newkey', 'ec', ...parameters, '-subj', '/CN=own', ...files];
    await must('openssl', request);
    await cluster.docker('swarm', 'ca', '--rotate', '-q', '--ca-cert', root, '--ca-key', key);
    await untilTrusted(readFileSync(root, 'utf8'));
    expect((await cluster.docker('swarm', 'ca')).trim()).toBe(readFileSync(root, 'utf8').trim());
  });

  it('let nodes join after all this', async () => {
    await cluster.dockerOn('worker2', 'swarm', 'leave');
    await cluster.docker('node', 'rm', '--force', 'worker2');
    await cluster.join('worker2', 'worker');
    await cluster.untilNode('worker2', /^Ready Active/);
  });

  it('may be had from an authority outside, whose settings are kept and shown', async () => {
    const host = (await cluster.machines.address('mgr1')).replace(/\d+$/, '1');
    const outside = await Cfssl.start(cluster.machines.directory, host);
    try {
      const settings = `protocol=cfssl,url=${outside.url},cacert=${outside.rootPath}`;
      const own = ['--ca-cert', outside.rootPath, '--external-ca', settings];
      await cluster.docker('swarm', 'ca', '--rotate', '-q', ...own);
      await untilTrusted(outside.rootPem);
      const ids = (await cluster.nodes()).map(({ id }) => id);
      expect(outside.signed).toEqual(expect.arrayContaining(ids));
      const kept = ['info', '-f', '{{json .Swarm.Cluster.Spec.CAConfig.ExternalCAs}}'];
      expect(JSON.parse(await cluster.dockerOn('mgr2', ...kept))).toEqual([
        { Protocol: 'cfssl', URL: outside.url, CACert: outside.rootPem },
      ]);
      expect(await cluster.docker('info')).toMatch(
        new RegExp(`External CAs:\n +cfssl: ${outside.url}`),
      );
      await cluster.dockerOn('worker2', 'swarm', 'leave');
      await cluster.docker('node', 'rm', '--force', 'worker2');
      await cluster.join('worker2', 'worker');
      expect(outside.signed).toContain(await cluster.nodeId('worker2'));
    } finally {
      await outside.stop();
    }
  });
});

const UNLOCK_KEY = 'SWMKEY-1-[A-Za-z0-9+/]{43}';
const LOCKED =
  'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.';

describe('a swarm that locks its managers', () => {
  beforeAll(async () => {
    cluster = await TestCluster.swarm(['mgr1', 'mgr2'], ['worker1']);
  });
  afterAll(() => cluster?.cleanUp());

  let key: string;

  function unlock(machine: string, unlockKey: string) {
    return cluster.machines.dockerResult(machine, ['swarm', 'unlock'], { input: `${unlockKey}\n` });
  }

  it('tells the key when it is told to lock, and again when asked', async () => {
    const said = await cluster.docker('swarm', 'update', '--autolock=true');
    expect(said).toMatch(
      new RegExp(
        `^Swarm updated\\.\nTo unlock a swarm manager after it restarts, run the \`docker swarm unlock\`\ncommand and provide the following key:\n\n    ${UNLOCK_KEY}\n`,
      ),
    );
    key = await cluster.dockerOn('mgr2', 'swarm', 'unlock-key', '-q');
    expect(said).toContain(key);
    expect(await cluster.docker('info', '-f', '{{.Swarm.Cluster.Spec.EncryptionConfig}}')).toBe(
      '{true}',
    );
    expect((await unlock('mgr1', key)).stderr).toContain('Error: swarm is not locked');
  });

  /** Whether the key of a machine's certificate on its disk is encrypted. */
  const isLockedOnDisk = (machine: string) =>
    readFileSync(
      join(cluster.machines.storage, machine, 'data/swarm/certificates/swarm-node.key'),
      'utf8',
    ).includes('ENCRYPTED');

  it('has managers locked after a restart, and workers not', async () => {
    await until(
      async () => ['mgr1', 'mgr2'].every(isLockedOnDisk),
      (isLocked) => isLocked,
    );
    expect(isLockedOnDisk('worker1')).toBe(false);
    await restartEngine('worker1');
    await cluster.untilMembership('worker1', 'active');
    await restartEngine('mgr2');
    await cluster.untilMembership('mgr2', 'locked');
    expect(await cluster.machines.dockerFails('mgr2', 'node', 'ls')).toContain(LOCKED);
    expect(await cluster.machines.dockerFails('mgr2', 'swarm', 'leave')).toContain(
      'Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.',
    );
  });

  it('opens one by the key, and by no other', async () => {
    const wrong = `SWMKEY-1-${Buffer.alloc(32, 7).toString('base64').replace('=', '')}`;
    const refused = await unlock('mgr2', wrong);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('swarm could not be unlocked: invalid key provided');
    expect((await unlock('mgr2', 'nonsense')).code).not.toBe(0);
    expect(await cluster.membership('mgr2')).toBe('locked');
    expect(await unlock('mgr2', key)).toMatchObject({ code: 0 });
    await cluster.untilMembership('mgr2', 'active');
    await cluster.untilNode('mgr2', /^Ready Active (Leader|Reachable)/);
  });

  it('changes the key on every manager', async () => {
    const said = await cluster.docker('swarm', 'unlock-key', '--rotate');
    expect(said).toMatch(/^Successfully rotated manager unlock key\.\n/);
    const old = key;
    key = await cluster.docker('swarm', 'unlock-key', '-q');
    expect(said).toContain(key);
    expect(key).not.toBe(old);
    const wrapped = (machine: string) =>
      readFileSync(
        join(cluster.machines.storage, machine, 'data/swarm/certificates/swarm-node.key'),
        'utf8',
      );
    const version = /kek-version: (\d+)/;
    await until(
      async () => ['mgr1', 'mgr2'].map((name) => version.exec(wrapped(name))?.[1]),
      ([one, two]) => one !== undefined && one === two,
    );
    await restartEngine('mgr2');
    await cluster.untilMembership('mgr2', 'locked');
    expect((await unlock('mgr2', old)).stderr).toContain('invalid key provided');
    expect(await unlock('mgr2', key)).toMatchObject({ code: 0 });
    await cluster.untilNode('mgr2', /^Ready Active (Leader|Reachable)/);
  });

  it('locks a manager that joins now', async () => {
    await cluster.docker('node', 'promote', 'worker1');
    await cluster.untilNode('worker1', /^Ready Active Reachable/);
    await restartEngine('worker1');
    await cluster.untilMembership('worker1', 'locked');
    expect(await unlock('worker1', key)).toMatchObject({ code: 0 });
    await cluster.untilNode('worker1', /^Ready Active Reachable/);
  });

  it('stops locking when it is told so', async () => {
    expect(await cluster.docker('swarm', 'update', '--autolock=false')).toBe('Swarm updated.');
    await until(
      async () => ['mgr1', 'mgr2', 'worker1'].some(isLockedOnDisk),
      (isLocked) => !isLocked,
    );
    await restartEngine('mgr2');
    await cluster.untilMembership('mgr2', 'active');
    expect(await cluster.fails('swarm', 'unlock-key')).toContain('no unlock key is set');
  });
});

/** A write through a manager that must be there at once for all. */
async function writeThrough(name: string, secret: string): Promise<number> {
  const startedMs = performance.now();
  const options = { input: 'x' };
  const made = await until(
    () => cluster.machines.dockerResult(name, ['secret', 'create', secret, '-'], options),
    ({ code }) => code === 0,
  );
  expect(made.stdout).toMatch(/^[0-9a-z]{25}\n$/);
  return performance.now() - startedMs;
}

/** Several times what it takes on an idle machine, and less than an election by time-out of Docker's. */
const NEXT_WRITE_MS = 8_000;

describe('managers', () => {
  const FIVE = ['m1', 'm2', 'm3', 'm4', 'm5'];
  beforeAll(async () => {
    cluster = await TestCluster.machines(...FIVE);
    await cluster.init();
  });
  afterAll(() => cluster?.cleanUp());

  /** Waits until each of some machines knows that many managers, all of them reachable. */
  async function untilManagers(names: readonly string[]): Promise<void> {
    const count = ['info', '-f', '{{.Swarm.Managers}} {{.Swarm.ControlAvailable}}'];
    for (const name of names) {
      await until(
        async () => (await cluster.machines.dockerResult(name, count)).stdout.trim(),
        (text) => text === `${names.length} true`,
      );
    }
    const isManager = ({ manager }: { manager: string }) => /Leader|Reachable/.test(manager);
    await cluster.untilNodes((nodes) => nodes.filter(isManager).length === names.length);
  }

  it('go from one to three to five', async () => {
    for (const name of ['m2', 'm3']) await cluster.join(name, 'manager');
    await untilManagers(['m1', 'm2', 'm3']);
    for (const name of ['m4', 'm5']) await cluster.join(name, 'worker');
    await cluster.docker('node', 'promote', 'm4', 'm5');
    await untilManagers(FIVE);
  });

  it('each serve the API, and show at once what was written through another', async () => {
    for (const [n, name] of FIVE.entries()) {
      const made = cluster.through(name);
      await made.create('--name', `by-${name}`, '--constraint', `node.hostname==${name}`, ...IDLE);
      const next = FIVE[(n + 1) % FIVE.length] ?? '';
      expect(await cluster.dockerOn(next, 'service', 'ls', '--format', '{{.Name}}')).toContain(
        `by-${name}`,
      );
      await cluster.through(next).running(`by-${name}`, 1);
    }
    await cluster.dockerOn('m3', 'service', 'scale', '-d', ...FIVE.map((name) => `by-${name}=2`));
    for (const name of FIVE) {
      expect(await cluster.placement(`by-${name}`, 2)).toEqual([name, name]);
    }
    await cluster.through('m5').remove(...FIVE.map((name) => `by-${name}`));
  });

  it('that do not lead stream the logs of tasks anywhere', async () => {
    const follower = FIVE.find((name) => name !== cluster.manager) ?? '';
    const says = [IMAGE, 'sh', '-c', 'echo said on $(hostname); sleep 1000000'];
    const hostname = ['--hostname', '{{.Node.Hostname}}'];
    await cluster.create('--name', 'talk', '--mode', 'global', ...hostname, ...says);
    await cluster.running('talk', 5);
    for (const name of FIVE) {
      await cluster.through(follower).logs(new RegExp(`said on ${name}$`, 'm'), '--raw', 'talk');
    }
    await cluster.remove('talk');
  });

  it('hand over when the leader is demoted, without a pause', async () => {
    const leader = await cluster.leader();
    const others = FIVE.filter((name) => name !== leader);
    cluster.manager = others[0] ?? '';
    expect(await cluster.docker('node', 'demote', leader)).toBe(
      `Manager ${leader} demoted in the swarm.`,
    );
    expect(await writeThrough(cluster.manager, 'after-demotion')).toBeLessThan(NEXT_WRITE_MS);
    await untilManagers(others);
    const role = () => cluster.machines.dockerResult(leader, ['node', 'ls']);
    await until(role, ({ stderr }) => stderr.trim() === NOT_FOR_WORKERS);
    await until(
      () => cluster.machines.dockerResult(cluster.manager, ['node', 'promote', leader]),
      ({ code }) => code === 0,
    );
    await untilManagers(FIVE);
  });

  it('hand over when the machine of the leader is stopped', async () => {
    const leader = await cluster.leader();
    const others = FIVE.filter((name) => name !== leader);
    cluster.manager = others[0] ?? '';
    const stopping = cluster.machines.stop(leader);
    await cluster.leader({ not: leader });
    expect(await writeThrough(cluster.manager, 'after-stop')).toBeLessThan(NEXT_WRITE_MS);
    await stopping;
    await cluster.machines.start(leader);
    await untilManagers(FIVE);
    expect(await cluster.dockerOn(leader, 'secret', 'ls', '-q', '-f', 'name=after-stop')).not.toBe(
      '',
    );
  });

  it('go back to three', async () => {
    const leader = await cluster.leader();
    const gone = FIVE.filter((name) => name !== leader).slice(0, 2);
    const left = FIVE.filter((name) => !gone.includes(name));
    cluster.manager = left[0] ?? '';
    expect(await cluster.docker('node', 'demote', ...gone)).toBe(
      gone.map((name) => `Manager ${name} demoted in the swarm.`).join('\n'),
    );
    await untilManagers(left);
    expect((await cluster.nodes()).map(({ status }) => status)).toEqual(Array(5).fill('Ready'));
  });

  it('that lost their majority refuse reads and writes, and say how many are there', async () => {
    const managers = (await cluster.nodes()).filter(({ manager }) => manager !== '');
    const [last = '', ...lost] = managers.map(({ hostname }) => hostname);
    cluster.manager = last;
    await Promise.all(lost.map((name) => cluster.machines.kill(name)));
    const refused = await until(
      () => cluster.machines.dockerResult(last, ['node', 'ls']),
      ({ code }) => code !== 0,
    );
    expect(refused.stderr.trim()).toBe(
      "Error response from daemon: rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online. (1 of 3 managers reachable, 2 needed)",
    );
    const input = { input: 'x' };
    const written = await cluster.machines.dockerResult(
      last,
      ['secret', 'create', 's', '-'],
      input,
    );
    expect(written.stderr).toContain('(1 of 3 managers reachable, 2 needed)');
  });

  it('are made of the last one by force, which keeps all objects', async () => {
    const last = cluster.manager;
    const before = await cluster.nodeId(last);
    const said = await cluster.init('--force-new-cluster');
    expect(said).toContain(`Swarm initialized: current node (${before}) is now a manager.`);
    await untilManagers([last]);
    const secrets = await cluster.docker('secret', 'ls', '--format', '{{.Name}}');
    expect(secrets.split('\n')).toEqual(['after-demotion', 'after-stop']);
    const nodes = await cluster.untilNodes((all) => {
      const count = (wanted: string) => all.filter(({ status }) => status === wanted).length;
      return count('Ready') === 3 && count('Down') === 2;
    });
    const lost = nodes.filter(({ status }) => status === 'Down').map(({ hostname }) => hostname);
    await cluster.create('--name', 'on', '--replicas', '3', ...IDLE);
    expect(new Set(await cluster.placement('on', 3)).size).toBe(3);
    await cluster.docker('node', 'rm', '--force', ...lost);
    await Promise.all(lost.map((name) => cluster.machines.start(name)));
    for (const name of lost) {
      await until(
        () => cluster.machines.dockerResult(name, ['swarm', 'leave', '--force']),
        ({ code }) => code === 0,
      );
      await cluster.join(name, 'manager');
    }
    await untilManagers([last, ...lost]);
  });
});

describe('nodes', () => {
  const NODES = ['mgr1', 'worker1', 'worker2', 'worker3'];
  const WORKERS = NODES.slice(1);
  beforeAll(async () => {
    cluster = await TestCluster.swarm(['mgr1'], WORKERS);
  });
  afterAll(() => cluster?.cleanUp());

  it('share the tasks of a service evenly, then even out the load', async () => {
    await cluster.create('--name', 'even', '--replicas', '8', ...IDLE);
    expect(await cluster.placement('even', 8)).toEqual(NODES.flatMap((name) => [name, name]));
    const onOne = ['--constraint', 'node.hostname==worker1'];
    await cluster.create('--name', 'heavy', '--replicas', '4', ...onOne, ...IDLE);
    await cluster.running('heavy', 4);
    await cluster.create('--name', 'light', '--replicas', '3', ...IDLE);
    expect(await cluster.placement('light', 3)).toEqual(['mgr1', 'worker2', 'worker3']);
    await cluster.remove('even', 'heavy', 'light');
  });

  it('are filled zone by zone where a service prefers that', async () => {
    const zones = { mgr1: 'a', worker1: 'a', worker2: 'a', worker3: 'b' };
    for (const [name, zone] of Object.entries(zones)) {
      await cluster.docker('node', 'update', '--label-add', `zone=${zone}`, name);
    }
    const spread = ['--placement-pref', 'spread=node.labels.zone'];
    await cluster.create('--name', 'zoned', '--replicas', '6', ...spread, ...IDLE);
    const nodes = await cluster.placement('zoned', 6);
    expect(nodes).toEqual(['mgr1', 'worker1', 'worker2', 'worker3', 'worker3', 'worker3']);
    await cluster.remove('zoned');
  });

  it('that manage are workers too, unless drained', async () => {
    const onManagers = ['--constraint', 'node.role==manager'];
    await cluster.create('--name', 'own', '--replicas', '2', ...onManagers, ...IDLE);
    expect(await cluster.placement('own', 2)).toEqual(['mgr1', 'mgr1']);
    await cluster.docker('node', 'update', '--availability', 'drain', 'mgr1');
    await until(
      () => cluster.docker('ps', '-q'),
      (ids) => ids === '',
    );
    expect(await cluster.node('mgr1')).toMatch(/^Ready Drain Leader/);
    await cluster.docker('node', 'update', '--availability', 'active', 'mgr1');
    await cluster.running('own', 2);
    await cluster.remove('own');
  });

  const NEEDS_MANAGER = [
    'node ls',
    'node inspect worker1',
    'node ps',
    'node promote worker1',
    'node demote worker1',
    'node update --label-add a=b worker1',
    'node rm worker1',
    'service ls',
    'service create skep/web',
    'service inspect web',
    'service ps web',
    'service logs web',
    'service scale web=2',
    'service update --force web',
    'service rollback web',
    'service rm web',
    'stack ls',
    'stack services web',
    'secret ls',
    'secret rm s',
    'config ls',
    'config inspect c',
    'swarm join-token worker',
    'swarm join-token --rotate manager',
    'swarm unlock-key',
    'swarm update --task-history-limit 3',
    'swarm ca',
    'swarm ca --rotate',
  ];
  it('that do not manage refuse all commands about the swarm', async () => {
    for (const command of NEEDS_MANAGER) {
      const { code, stderr } = await cluster.machines.dockerResult('worker1', command.split(' '));
      expect([command, code, stderr]).toEqual([
        command,
        1,
        expect.stringContaining(NOT_FOR_WORKERS),
      ]);
    }
  });

  it('are removed when they are down, or by force', async () => {
    const id = await cluster.nodeId('worker3');
    const refusal = `rpc error: code = FailedPrecondition desc = node ${id} is not down and can't be removed`;
    expect(await cluster.fails('node', 'rm', 'worker3')).toContain(refusal);
    await cluster.machines.kill('worker3');
    await cluster.untilNode('worker3', /^Down/);
    expect(await cluster.docker('node', 'rm', 'worker3')).toBe('worker3');
    expect(await cluster.docker('node', 'rm', '--force', 'worker2')).toBe('worker2');
    expect((await cluster.nodes()).map(({ hostname }) => hostname)).toEqual(['mgr1', 'worker1']);
  });

  it('that were removed are let in again only when they join anew', async () => {
    await cluster.create('--name', 'all', '--mode', 'global', ...IDLE);
    await cluster.running('all', 2);
    const id = await cluster.nodeId('worker2');
    await cluster.machines.start('worker3');
    await until(
      async () => cluster.machines.log('worker2'),
      (text) => text.includes(`node ${id} was removed from swarm`),
      PATIENCE_MS,
    );
    for (const name of ['worker2', 'worker3']) {
      expect(await cluster.dockerOn(name, 'ps', '-q')).toBe('');
      await cluster.dockerOn(name, 'swarm', 'leave', '--force');
      await cluster.join(name, 'worker');
    }
    expect(await cluster.placement('all', 4)).toEqual(NODES);
  });
});
