import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootCa } from '@skep/ca';
import { RealClock, RealRandom } from '@skep/platform';
import type { CallOptions, TlsIdentity } from '@skep/rpc';
import {
  CA,
  Control,
  Dispatcher,
  Health,
  Logs,
  NodeCA,
  Raft,
  RaftMembership,
  Watch,
} from '@skep/wire/swarmkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { type Result, until } from './support/exec.ts';
import { clockOff, forge, Intruder } from './support/intruder.ts';
import { PATIENCE_MS } from './support/swarm-view.ts';

/** What people, machines and strangers do wrong with swarms of many, and what they are told. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const DAEMON = 'Error response from daemon: ';
const ALREADY = `${DAEMON}This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.`;
const BAD_TOKEN = `${DAEMON}rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster`;

let cluster: TestCluster;

async function joinResult(machine: string, token: string, remote: string): Promise<Result> {
  const command = ['swarm', 'join', '--token', token, remote];
  return await cluster.machines.dockerResult(machine, command);
}

/** What a refused join says; the node is in no swarm after it. */
async function refusedJoin(machine: string, token: string, remote: string): Promise<string> {
  const { code, stderr } = await joinResult(machine, token, remote);
  expect(code).toBe(1);
  expect(await cluster.membership(machine)).toBe('inactive');
  return stderr.trim();
}

describe('joining', () => {
  let remote: string;
  let token: string;
  beforeAll(async () => {
    cluster = await TestCluster.machines('mgr1', 'other', 'node1', 'node2');
    await cluster.init();
    await cluster.dockerOn('other', 'swarm', 'init', '--advertise-addr', 'eth0');
    remote = await cluster.remote('mgr1');
    token = await cluster.token('worker');
  });
  afterAll(() => cluster?.cleanUp());

  it('is refused with what is no token, or half of one', async () => {
    const [, version, digest, secret] = token.split('-');
    const invalid = [
      'hello',
      token.slice(0, -1),
      token.slice(0, 40),
      `SWMTKN-${version}-${digest}`,
      `SWMTKN-3-${digest}-${secret}`,
      `${token}0`,
      token.replace('SWMTKN', 'SWMKEY'),
    ];
    for (const wrong of invalid) {
      expect(await refusedJoin('node1', wrong, remote)).toBe(`${DAEMON}invalid join token`);
    }
  });

  it('is refused with a token of another swarm, or with a wrong secret', async () => {
    const [, , , secret = ''] = token.split('-');
    const wrong = token.replace(secret, [...secret].reverse().join(''));
    expect(await refusedJoin('node1', wrong, remote)).toBe(BAD_TOKEN);
    const foreign = await cluster.dockerOn('other', 'swarm', 'join-token', '-q', 'worker');
    expect(await refusedJoin('node1', foreign, remote)).toMatch(
      /^Error response from daemon: remote CA does not match fingerprint\. Expected: [0-9a-f]{64}$/,
    );
    expect((await cluster.nodes()).length).toBe(1);
  });

  it('is refused through the node itself', async () => {
    const own = await cluster.remote('node1');
    expect(await refusedJoin('node1', token, own)).toBe(
      `${DAEMON}a node cannot join a swarm through itself: ${own} is its own address`,
    );
    expect((await joinResult('mgr1', token, remote)).stderr.trim()).toBe(ALREADY);
  });

  it('as a worker is what a worker token does, whatever was meant', async () => {
    expect((await joinResult('node1', token, remote)).stdout.trim()).toBe(
      'This node joined a swarm as a worker.',
    );
    expect(await cluster.node('node1')).toMatch(/^Ready Active {2}\d/);
    const info = ['info', '-f', '{{.Swarm.ControlAvailable}}'];
    expect(await cluster.dockerOn('node1', ...info)).toBe('false');
    expect(await cluster.docker('node', 'inspect', '-f', '{{.Spec.Role}}', 'node1')).toBe('worker');
  });

  it('twice, or making a swarm within one, is refused', async () => {
    const nodeId = await cluster.nodeId('node1');
    expect((await joinResult('node1', token, remote)).stderr.trim()).toBe(ALREADY);
    const init = await cluster.machines.dockerFails('node1', 'swarm', 'init');
    expect(init).toBe(ALREADY);
    expect(await cluster.fails('swarm', 'init')).toBe(ALREADY);
    expect(await cluster.nodeId('node1')).toBe(nodeId);
    expect((await cluster.nodes()).length).toBe(2);
  });

  it('through an unreachable address is told of in time, and goes on until it can be reached', async () => {
    await cluster.machines.disconnect('mgr1');
    const startedMs = performance.now();
    const { code, stderr } = await joinResult('node2', token, remote);
    expect(performance.now() - startedMs).toBeLessThan(25_000);
    expect([code, stderr.trim()]).toEqual([
      1,
      `${DAEMON}Timeout was reached before node joined. The attempt to join the swarm will continue in the background. Use the "docker info" command to see the current swarm status of your node.`,
    ]);
    expect(await cluster.membership('node2')).toBe('pending');
    const told = await until(
      () => cluster.dockerOn('node2', 'info', '-f', '{{.Swarm.Error}}'),
      (text) => text !== '',
    );
    expect(told).toContain(remote);
    expect((await joinResult('node2', token, remote)).stderr.trim()).toBe(ALREADY);
    await cluster.machines.connect('mgr1');
    await cluster.untilMembership('node2', 'active');
    await cluster.untilNode('node2', /^Ready Active/);
  });

  it('that goes on in the background ends when the node leaves', async () => {
    await cluster.dockerOn('node2', 'swarm', 'leave');
    const nobody = remote.replace(/\d+:2377$/, '250:2377');
    const joining = joinResult('node2', token, nobody);
    await cluster.untilMembership('node2', 'pending');
    expect(await cluster.dockerOn('node2', 'swarm', 'leave', '--force')).toBe(
      'Node left the swarm.',
    );
    expect(await joining).toMatchObject({
      code: 1,
      stderr: `${DAEMON}the node left the swarm meanwhile\n`,
    });
    expect(await cluster.membership('node2')).toBe('inactive');
  });
});

const FAKE_TIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

/** Starts the engine of a machine that has none of its own, days ahead of the clock or behind it. */
async function startEngine(machine: string, days: number): Promise<void> {
  const skepd = new URL('../bin/skepd', import.meta.url).pathname;
  const roots = '--data-root /var/lib/skep --exec-root /run/skep';
  const time = `LD_PRELOAD=${FAKE_TIME} FAKETIME='${days < 0 ? '' : '+'}${days}d' FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1`;
  const log = '</dev/null >>/var/lib/skep/skepd.log 2>&1';
  await cluster.machines.ssh(machine, `${time} setsid ${skepd} ${roots} ${log} &`);
  await until(
    () => cluster.machines.sshResult(machine, 'docker version'),
    ({ code }) => code === 0,
    PATIENCE_MS,
  );
}

async function stopEngine(machine: string): Promise<void> {
  const pid = await cluster.machines.ssh(machine, 'cat /var/lib/skep/skepd.lock');
  await cluster.machines.ssh(machine, `kill ${pid}`);
  await until(
    () => cluster.machines.sshResult(machine, `kill -0 ${pid}`),
    ({ code }) => code !== 0,
    PATIENCE_MS,
  );
}

describe.runIf(existsSync(FAKE_TIME))('a clock that is wrong by a year', () => {
  const YEAR = 365;
  beforeAll(async () => {
    cluster = await TestCluster.swarm(['mgr1']);
    await cluster.machines.create(['off'], ['--engine', 'none']);
  });
  afterAll(async () => {
    await cluster?.cleanUp();
  });

  it('ahead: joining is refused, and says whose time it is', async () => {
    await startEngine('off', YEAR);
    const remote = await cluster.remote('mgr1');
    const year = new Date(Date.now() + YEAR * 86_400_000).getUTCFullYear();
    expect(await refusedJoin('off', await cluster.token('worker'), remote)).toMatch(
      new RegExp(
        `^${DAEMON}the certificate of the manager at ${remote} is out of date, if the clock of this node is right, which says ${year}-.*certificate has expired or is not yet valid"$`,
      ),
    );
    await stopEngine('off');
  });

  it('behind: joining is refused, and says so too', async () => {
    await startEngine('off', -YEAR);
    const remote = await cluster.remote('mgr1');
    const year = new Date(Date.now() - YEAR * 86_400_000).getUTCFullYear();
    expect(await refusedJoin('off', await cluster.token('manager'), remote)).toMatch(
      new RegExp(
        `^${DAEMON}the swarm's root certificate is valid from \\S+ to \\S+, but the clock of this node says ${year}-`,
      ),
    );
    await stopEngine('off');
  });

  it('of a member: it is told, and all is well when the clock is right again', async () => {
    await startEngine('off', 0);
    await cluster.join('off', 'worker');
    await cluster.untilNode('off', /^Ready/);
    const nodeId = await cluster.nodeId('off');
    await stopEngine('off');
    await startEngine('off', YEAR);
    const told = await until(
      () => cluster.dockerOn('off', 'info', '-f', '{{.Swarm.LocalNodeState}}: {{.Swarm.Error}}'),
      (text) => text.includes('expired'),
      PATIENCE_MS,
    );
    expect(told).toBe('error: swarm certificates have expired, or the clock is wrong');
    await cluster.untilNode('off', /^Down/);
    await stopEngine('off');
    await startEngine('off', 0);
    await cluster.untilNode('off', /^Ready/);
    expect(await cluster.nodeId('off')).toBe(nodeId);
    await stopEngine('off');
  });
});

describe('strangers', () => {
  const DAY_MS = 86_400_000;
  const random = new RealRandom();
  /** The swarm's root, which the test has brought, so that it can forge certificates; old enough for old ones. */
  const root = RootCa.create({ clock: clockOff(-10 * DAY_MS), random });
  const intruders: Intruder[] = [];
  let clusterId: string;
  let address: string;

  beforeAll(async () => {
    cluster = await TestCluster.swarm(['mgr1'], ['worker1']);
    const { directory } = cluster.machines;
    const [certificate, key] = [join(directory, 'root.crt'), join(directory, 'root.key')];
    writeFileSync(certificate, root.certificatePem);
    writeFileSync(key, root.keyPem ?? '');
    const own = ['--ca-cert', certificate, '--ca-key', key];
    await cluster.docker('swarm', 'ca', '--rotate', '-q', ...own);
    clusterId = await cluster.docker('info', '-f', '{{.Swarm.Cluster.ID}}');
    address = await cluster.remote('mgr1');
  });
  afterAll(async () => {
    for (const intruder of intruders) intruder.close();
    await cluster?.cleanUp();
  });

  function intruder(identity: TlsIdentity, withCertificate?: boolean): Intruder {
    const made = new Intruder(address, identity, withCertificate);
    intruders.push(made);
    return made;
  }

  /** One call of each service that is for managers only. */
  function managerCalls(by: Intruder): [name: string, call: () => Promise<unknown>][] {
    return [
      ['listNodes', () => by.unary(Control.method.listNodes, {})],
      ['removeNode', () => by.unary(Control.method.removeNode, { nodeId: 'x', force: true })],
      ['listSecrets', () => by.unary(Control.method.listSecrets, {})],
      ['join', () => by.unary(RaftMembership.method.join, { addr: '10.0.0.1:2377' })],
      ['leave', () => by.unary(RaftMembership.method.leave, { node: { raftId: 1n } })],
      ['process', () => by.unary(Raft.method.processRaftMessage, {})],
      ['resolve', () => by.unary(Raft.method.resolveAddress, { raftId: 1n })],
      ['unlockKey', () => by.unary(CA.method.getUnlockKey, {})],
      ['health', () => by.unary(Health.method.check, { service: 'Raft' })],
      ['watch', () => by.first(Watch.method.watch, {})],
      ['logs', () => by.first(Logs.method.subscribeLogs, {})],
    ];
  }

  const DENIED = 'rpc error: code = PermissionDenied desc = Permission denied: ';

  async function expectAllRefused(by: Intruder, reason: string | RegExp): Promise<void> {
    const worker = await cluster.nodeId('worker1');
    const calls = [
      ...managerCalls(by),
      ['heartbeat', () => by.unary(Dispatcher.method.heartbeat, { sessionId: worker })],
      ['session', () => by.first(Dispatcher.method.session, {})],
    ] as const;
    for (const [name, call] of calls) {
      const text = await by.refusal(call());
      expect([name, text]).toEqual([name, expect.stringContaining(DENIED)]);
      expect(text).toMatch(reason);
    }
  }

  it('with the certificate of a worker may not call what is for managers', async () => {
    const file = (name: string) =>
      readFileSync(
        join(cluster.machines.storage, 'worker1/data/swarm/certificates', name),
        'utf8',
      ).replace(/^kek-version: .*\n\n?/m, '');
    const stolen = {
      rootPem: root.certificatePem,
      certificatePem: file('swarm-node.crt'),
      keyPem: file('swarm-node.key'),
    };
    const by = intruder(stolen);
    for (const [name, call] of managerCalls(by)) {
      expect([name, await by.refusal(call())]).toEqual([
        name,
        `${DENIED}remote certificate not part of OUs: [swarm-manager]`,
      ]);
    }
  });

  it('who say that they forward for a manager are believed only if they are one', async () => {
    const nodeId = await cluster.nodeId('mgr1');
    const by = intruder(forge(root, { nodeId: 'thief', role: 'worker', clusterId }));
    const identity = { nodeId, role: 'manager', clusterId } as const;
    const caller = { identity, address: '10.0.0.1', forwardedBy: undefined };
    const forwarded: CallOptions = { forwarded: { caller, redirectedBy: address } };
    expect(await by.refusal(by.unary(Control.method.listNodes, {}, forwarded))).toBe(
      `${DENIED}unauthorized forwarder role`,
    );
  });

  it('without a certificate may only ask for one', async () => {
    const by = intruder(forge(root, { nodeId: 'nobody', role: 'manager', clusterId }), false);
    await expectAllRefused(by, /unauthorized peer role: no client certificates in request$/);
    const { certificate } = await by.unary(CA.method.getRootCACertificate, {});
    expect(Buffer.from(certificate).toString().trim()).toBe(root.certificatePem.trim());
    const request = { csr: Buffer.from('nonsense'), token: 'SWMTKN-1-a-b' };
    expect(await by.refusal(by.unary(NodeCA.method.issueNodeCertificate, request))).toBe(
      'rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster',
    );
  });

  it('of another swarm are refused, also with this one’s name in their certificate', async () => {
    const theirs = RootCa.create({ clock: new RealClock(), random });
    const request = { nodeId: 'stranger', role: 'manager', clusterId } as const;
    await expectAllRefused(intruder(forge(theirs, request, root)), /certificate/);
    const elsewhere = { ...request, clusterId: 'another00000000000000swarm' };
    await expectAllRefused(
      intruder(forge(root, elsewhere)),
      new RegExp(`remote certificate not part of organization: ${clusterId}$`),
    );
  });

  it('whose certificate has expired, or is not valid yet, are refused', async () => {
    const request = { nodeId: 'late', role: 'manager', clusterId, expiryMs: DAY_MS } as const;
    for (const [offMs, reason] of [
      [-3 * DAY_MS, /expired/],
      [3 * DAY_MS, /not yet valid|valid from/],
    ] as const) {
      const clock = clockOff(offMs);
      const material = { certificatePem: root.certificatePem, keyPem: root.keyPem ?? '' };
      const then = new RootCa(material, { clock, random });
      await expectAllRefused(intruder(forge(then, request)), reason);
    }
  });

  it('who were removed are refused with their certificate, which is still good', async () => {
    const nodeId = await cluster.nodeId('worker1');
    const by = intruder(forge(root, { nodeId, role: 'manager', clusterId }));
    expect(await by.unary(Control.method.listNodes, {})).toMatchObject({ nodes: [{}, {}] });
    await cluster.docker('node', 'rm', '--force', 'worker1');
    await expectAllRefused(by, new RegExp(`node ${nodeId} was removed from swarm$`));
  });

  it('have changed nothing', async () => {
    expect((await cluster.nodes()).map(({ hostname }) => hostname)).toEqual(['mgr1']);
    expect(await cluster.docker('info', '-f', '{{.Swarm.Managers}}')).toBe('1');
  });
});

describe('managers', () => {
  beforeAll(async () => {
    cluster = await TestCluster.swarm(['mgr1'], ['node2', 'node3']);
  });
  afterAll(() => cluster?.cleanUp());

  const WARNING =
    'You are attempting to leave the swarm on a node that is participating as a manager. ';
  const RESTORE =
    'The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use `--force` to suppress this message.';

  it('that are the last one are not demoted, and warn before they leave', async () => {
    expect(await cluster.fails('node', 'demote', 'mgr1')).toBe(
      `${DAEMON}rpc error: code = FailedPrecondition desc = attempting to demote the last manager of the swarm`,
    );
    expect(await cluster.fails('node', 'update', '--role', 'worker', 'mgr1')).toContain(
      'attempting to demote the last manager of the swarm',
    );
    expect(await cluster.fails('swarm', 'leave')).toBe(
      `${DAEMON}${WARNING}Removing the last manager erases all current state of the swarm. Use \`--force\` to ignore this message.`,
    );
    expect(await cluster.node('mgr1')).toMatch(/^Ready Active Leader/);
  });

  it('and nodes that are up are not removed', async () => {
    const id = await cluster.nodeId('node2');
    expect(await cluster.fails('node', 'rm', 'node2')).toBe(
      `${DAEMON}rpc error: code = FailedPrecondition desc = node ${id} is not down and can't be removed`,
    );
    for (const force of [[], ['--force']]) {
      expect(await cluster.fails('node', 'rm', ...force, 'mgr1')).toBe(
        `${DAEMON}rpc error: code = FailedPrecondition desc = node ${await cluster.nodeId('mgr1')} is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal`,
      );
    }
  });

  it('of two or three tell what their leaving would cost', async () => {
    await cluster.docker('node', 'promote', 'node2');
    await cluster.untilNode('node2', /Reachable/);
    const leave = () => cluster.machines.dockerFails('node2', 'swarm', 'leave');
    const isManager = ['info', '-f', '{{.Swarm.ControlAvailable}} {{.Swarm.Managers}}'];
    const untilKnown = (count: number) =>
      until(
        () => cluster.dockerOn('node2', ...isManager),
        (text) => text === `true ${count}`,
        PATIENCE_MS,
      );
    await untilKnown(2);
    expect(await leave()).toBe(
      `${DAEMON}${WARNING}Removing this node leaves 1 managers out of 2. Without a Raft quorum your swarm will be inaccessible. ${RESTORE}`,
    );
    await cluster.docker('node', 'promote', 'node3');
    await cluster.untilNode('node3', /Reachable/);
    await untilKnown(3);
    expect(await leave()).toBe(`${DAEMON}${WARNING}${RESTORE}`);
    await cluster.machines.kill('node3');
    await until(
      leave,
      (text) => text.includes('Removing this node leaves 1 managers out of 3.'),
      PATIENCE_MS,
    );
    expect(await cluster.fails('node', 'demote', 'node2')).toBe(
      `${DAEMON}rpc error: code = FailedPrecondition desc = can't remove member from the raft: this would result in a loss of quorum`,
    );
    expect(await cluster.node('node2')).toMatch(/Reachable|Leader/);
  });

  it('do what they are told by force', async () => {
    expect(await cluster.dockerOn('node2', 'swarm', 'leave', '--force')).toBe(
      'Node left the swarm.',
    );
    expect(await cluster.membership('node2')).toBe('inactive');
    const refused = await until(
      () => cluster.machines.dockerResult('mgr1', ['node', 'ls']),
      ({ code }) => code !== 0,
      PATIENCE_MS,
    );
    expect(refused.stderr).toContain('(1 of 3 managers reachable, 2 needed)');
  });
});
