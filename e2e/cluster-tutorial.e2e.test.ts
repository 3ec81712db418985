import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { must, until } from './support/exec.ts';
import { IMAGE } from './support/sample.ts';
import { IDLE } from './support/swarm-view.ts';

/**
 * The chapters on clusters of the tutorials from which people learn swarm mode: their commands, typed
 * into machines as `docker-machine ssh` has it, with what the client then shows.
 */

const ID = '[0-9a-z]{25}';
const SHORT_ID = '[0-9a-z]{12}';
const TOKEN = 'SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}';
const VERSION = '\\d+\\.\\d+\\.\\d+';
const NODE_COLUMNS =
  /^ID {2,}HOSTNAME {2,}STATUS {2,}AVAILABILITY {2,}MANAGER STATUS {2,}ENGINE VERSION$/;

/** Debian's client, where it is installed: other words and columns would show with it. */
const OLD_CLIENT = '/usr/bin/docker';

/** Each test waits for several states, each with the patience of a busy machine. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

let cluster: TestCluster;
let address: string;

beforeAll(async () => {
  cluster = await TestCluster.machines('mgr1', 'mgr2', 'worker1', 'worker2');
  address = await cluster.machines.address('mgr1');
});
afterAll(() => cluster?.cleanUp());

/** Types a line into a machine; what it shows. */
function type(machine: string, line: string): Promise<string> {
  return cluster.machines.ssh(machine, line);
}

/** Types a line that must fail; what it shows as its error. */
async function typeInVain(machine: string, line: string): Promise<string> {
  const { code, stderr } = await cluster.machines.sshResult(machine, line);
  expect(code).not.toBe(0);
  return stderr.trim();
}

/** A table of the client: its lines, the spaces at their ends aside. */
function rows(table: string): string[] {
  return table.split('\n').map((line) => line.trimEnd());
}

/** Waits until a table that a line shows has rows that match, one each and in order. */
function untilRows(machine: string, line: string, patterns: readonly RegExp[]): Promise<string[]> {
  return until(
    async () => rows(await type(machine, line)),
    ([, ...body]) =>
      body.length === patterns.length && body.every((row, n) => patterns[n]?.test(row)),
  );
}

function nodeRow(name: string, rest: string, isSelf = false): RegExp {
  return new RegExp(`^${ID}${isSelf ? ' \\*' : ''} +${name} +${rest} +${VERSION}$`);
}

/** The command that `swarm init` and `join-token` show. */
function joinCommand(said: string): string {
  const command = said.split('\n').find((line) => line.startsWith('    docker swarm join '));
  return command?.trim() ?? '';
}

describe('machines', () => {
  it('are created as docker-machine does, listed, and have an address', async () => {
    await cluster.machines.run('create', '--driver', 'virtualbox', 'worker3');
    const listed = rows(await cluster.machines.run('ls'));
    expect(listed[0]).toMatch(/^NAME +ACTIVE +DRIVER +STATE +URL +SWARM +DOCKER +ERRORS$/);
    const names = ['mgr1', 'mgr2', 'worker1', 'worker2', 'worker3'];
    for (const [n, name] of names.entries()) {
      expect(listed[n + 1]).toMatch(new RegExp(`^${name} +- +netns +Running +unix:///`));
    }
    expect(await cluster.machines.run('ip', 'mgr1')).toBe(address);
    await cluster.machines.run('rm', '-f', 'worker3');
  });
});

describe('creating a swarm', () => {
  it('by init, which says how to join', async () => {
    const said = await type('mgr1', `docker swarm init --advertise-addr ${address}`);
    const command = `docker swarm join --token ${TOKEN} ${address}:2377`;
    const words = [
      `Swarm initialized: current node \\(${ID}\\) is now a manager\\.`,
      'To add a worker to this swarm, run the following command:',
      `    ${command}`,
      "To add a manager to this swarm, run 'docker swarm join-token manager' and follow the instructions\\.",
    ];
    expect(said.trimEnd()).toMatch(new RegExp(`^${words.join('\n\n')}$`));
  });

  it('shows one node, which leads', async () => {
    const [columns, ...nodes] = rows(await type('mgr1', 'docker node ls'));
    expect(columns).toMatch(NODE_COLUMNS);
    expect(nodes).toEqual([expect.stringMatching(nodeRow('mgr1', 'Ready +Active +Leader', true))]);
  });

  it.each(['worker', 'manager'])('tells how to join as a %s at any time', async (role) => {
    const said = await type('mgr1', `docker swarm join-token ${role}`);
    const command = `docker swarm join --token ${TOKEN} ${address}:2377`;
    expect(said.trimEnd()).toMatch(
      new RegExp(`^To add a ${role} to this swarm, run the following command:\n\n    ${command}$`),
    );
    const token = await type('mgr1', `docker swarm join-token -q ${role}`);
    expect(joinCommand(said)).toContain(` ${token} `);
  });
});

describe('adding nodes', () => {
  it('a worker joins by the command that was shown', async () => {
    const command = joinCommand(await type('mgr1', 'docker swarm join-token worker'));
    expect(await type('worker1', command)).toBe('This node joined a swarm as a worker.');
  });

  it('a manager does too', async () => {
    const command = joinCommand(await type('mgr1', 'docker swarm join-token manager'));
    expect(await type('mgr2', command)).toBe('This node joined a swarm as a manager.');
  });

  it('any manager tells how, and lets nodes in', async () => {
    const command = joinCommand(await type('mgr2', 'docker swarm join-token worker'));
    expect(command).toContain(` ${await cluster.machines.address('mgr2')}:2377`);
    expect(await type('worker2', command)).toBe('This node joined a swarm as a worker.');
  });

  it.each(['mgr1', 'mgr2'])('%s lists them all', async (self) => {
    const shown = await untilRows(self, 'docker node ls', [
      nodeRow('mgr1', 'Ready +Active +Leader', self === 'mgr1'),
      nodeRow('mgr2', 'Ready +Active +Reachable', self === 'mgr2'),
      nodeRow('worker1', 'Ready +Active'),
      nodeRow('worker2', 'Ready +Active'),
    ]);
    expect(shown[0]).toMatch(NODE_COLUMNS);
  });

  it.runIf(existsSync(OLD_CLIENT))('an old client shows the same', async () => {
    const old = rows(await type('mgr2', `${OLD_CLIENT} node ls`));
    expect(old).toEqual(rows(await type('mgr2', 'docker node ls')));
    expect(await type('mgr2', `${OLD_CLIENT} swarm join-token worker`)).toBe(
      await type('mgr2', 'docker swarm join-token worker'),
    );
  });

  it('workers cannot look at the swarm', async () => {
    expect(await typeInVain('worker1', 'docker node ls')).toBe(
      "Error response from daemon: This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.",
    );
  });
});

/** The part of `docker info` that is about the swarm, its lines without their indentation. */
async function swarmInfo(machine: string): Promise<string[]> {
  const lines = (await type(machine, 'docker info 2>/dev/null')).split('\n');
  const first = lines.findIndex((line) => line.startsWith(' Swarm: '));
  const next = lines.findIndex((line, n) => n > first && /^ \S/.test(line));
  return lines.slice(first, next).map((line) => line.trim());
}

describe('info', () => {
  it.each(['mgr1', 'mgr2'])('of the manager %s describes the swarm', async (name) => {
    const managers = [`${address}:2377`, `${await cluster.machines.address('mgr2')}:2377`];
    expect(await swarmInfo(name)).toEqual([
      'Swarm: active',
      `NodeID: ${await cluster.nodeId(name)}`,
      'Is Manager: true',
      expect.stringMatching(`^ClusterID: ${ID}$`),
      'Managers: 2',
      'Nodes: 4',
      'Default Address Pool: 10.0.0.0/8',
      'SubnetSize: 24',
      'Data Path Port: 4789',
      'Orchestration:',
      'Task History Retention Limit: 5',
      'Raft:',
      'Snapshot Interval: 10000',
      'Number of Old Snapshots to Retain: 0',
      'Heartbeat Tick: 1',
      'Election Tick: 10',
      'Dispatcher:',
      'Heartbeat Period: 5 seconds',
      'CA Configuration:',
      'Expiry Duration: 3 months',
      'Force Rotate: 0',
      'Autolock Managers: false',
      'Root Rotation In Progress: false',
      `Node Address: ${await cluster.machines.address(name)}`,
      'Manager Addresses:',
      ...managers.sort(),
    ]);
  });

  it('of a worker tells of itself and of its managers', async () => {
    const managers = [`${address}:2377`, `${await cluster.machines.address('mgr2')}:2377`];
    const told = await until(
      () => swarmInfo('worker1'),
      (lines) => managers.every((manager) => lines.includes(manager)),
    );
    expect(told).toEqual([
      'Swarm: active',
      `NodeID: ${await cluster.nodeId('worker1')}`,
      'Is Manager: false',
      `Node Address: ${await cluster.machines.address('worker1')}`,
      'Manager Addresses:',
      ...managers.sort(),
    ]);
  });

  it('warns of two managers', async () => {
    const warnings = await type('mgr1', "docker info -f '{{json .Swarm.Warnings}}'");
    expect(warnings).toContain('WARNING: Running Swarm in a two-manager configuration.');
  });
});

/** Rows of `service ps` for running tasks of one service. */
function taskRow(name: string, node: string, state = 'Running'): RegExp {
  return new RegExp(`^${SHORT_ID} +${name} +${IMAGE} +${node} +Running +${state} .+ago`);
}

function serviceRow(replicas: string, mode = 'replicated'): RegExp {
  return new RegExp(`^${SHORT_ID} +web +${mode} +${replicas} +${IMAGE} +\\*:80->80/tcp$`);
}

describe('a service', () => {
  it('is created, and runs on all nodes', async () => {
    const create = `docker service create --replicas 5 -p 80:80 --name web ${IMAGE}`;
    expect(await type('mgr1', create)).toMatch(new RegExp(`^${ID}\n(.*\n)*.* converged`));
    await untilRows('mgr1', 'docker service ls', [serviceRow('5/5')]);
    const shown = await untilRows(
      'mgr1',
      'docker service ps web',
      [1, 2, 3, 4, 5].map((slot) => taskRow(`web\\.${slot}`, '\\S+')),
    );
    const nodes = new Set(shown.slice(1).map((row) => row.split(/ +/)[3]));
    expect([...nodes].sort()).toEqual(['mgr1', 'mgr2', 'worker1', 'worker2']);
  });

  it('has its containers in docker ps of the nodes', async () => {
    const shown = rows(await type('worker1', 'docker ps'));
    expect(shown).toHaveLength(2);
    expect(shown[1]).toMatch(
      new RegExp(`^${SHORT_ID} +${IMAGE} .* Up .* 80/tcp +web\\.\\d\\.${ID}$`),
    );
  });

  it('is reached at every node', async () => {
    for (const name of ['mgr1', 'mgr2', 'worker1', 'worker2']) {
      const node = await cluster.machines.address(name);
      const answer = await until(
        () => must('curl', ['-s', '--max-time', '5', `http://${node}/`]).catch(() => ''),
        (text) => text !== '',
      );
      expect(answer).toMatch(/^Hello from /);
    }
  });

  it('scales up', async () => {
    expect(await type('mgr1', 'docker service scale web=8')).toMatch(/^web scaled to 8\n/);
    await untilRows('mgr1', 'docker service ls', [serviceRow('8/8')]);
    const slots = [1, 2, 3, 4, 5, 6, 7, 8];
    await untilRows(
      'mgr1',
      'docker service ps web',
      slots.map((slot) => taskRow(`web\\.${slot}`, '\\S+')),
    );
  });

  it('needs no name, and its logs come from all nodes', async () => {
    await type('mgr1', `docker service create -d ${IMAGE} ping 127.0.0.1`);
    const list = "docker service ls --format '{{.Name}}' | grep _";
    const name = await type('mgr1', list);
    expect(name).toMatch(/^[a-z]+_[a-z]+$/);
    const converged = await type('mgr1', `docker service update ${name} --replicas 4`);
    expect(converged).toMatch(/ converged$/);
    const names = ['mgr1', 'mgr2', 'worker1', 'worker2'];
    const nodesOf = (log: string) => new Set(log.match(/(?<=@)\S+(?= +\| .*127\.0\.0\.1)/g));
    const printed = await type('mgr2', `docker service logs ${name}`);
    expect([...nodesOf(printed)].sort()).toEqual(names);
    const follow = `timeout 3 docker service logs --follow --tail 0 ${name} || true`;
    expect([...nodesOf(await type('mgr2', follow))].sort()).toEqual(names);
    await type('mgr1', `docker service rm ${name}`);
  });
});

describe('nodes', () => {
  it('show what runs on them', async () => {
    const own = (node: string) => [taskRow('web\\.\\d', node), taskRow('web\\.\\d', node)];
    await untilRows('mgr1', 'docker node ps worker1', own('worker1'));
    await untilRows('mgr1', 'docker node ps', own('mgr1'));
    await untilRows('mgr2', 'docker node ps self', own('mgr2'));
  });

  it('are inspected, as JSON and for people', async () => {
    const [self] = JSON.parse(await type('mgr1', 'docker node inspect self'));
    expect(self).toMatchObject({
      ID: await cluster.nodeId('mgr1'),
      Spec: { Role: 'manager', Availability: 'active' },
      ManagerStatus: { Leader: true, Reachability: 'reachable', Addr: `${address}:2377` },
    });
    const [worker] = JSON.parse(await type('mgr1', 'docker node inspect worker1'));
    expect(worker.Spec).toEqual({ Role: 'worker', Availability: 'active', Labels: {} });
    const pretty = (await type('mgr1', 'docker node inspect --pretty worker1')).split('\n');
    const lines = pretty.map((line) => line.trim().replace(/:\s+/, ': '));
    expect(lines).toEqual(
      expect.arrayContaining([
        `ID: ${await cluster.nodeId('worker1')}`,
        'Hostname: worker1',
        expect.stringMatching(/^Joined at: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000 utc$/),
        'State: Ready',
        'Availability: Active',
        `Address: ${await cluster.machines.address('worker1')}`,
        'Operating System: linux',
        expect.stringMatching(/^Architecture: \S+$/),
        expect.stringMatching(/^CPUs: \d+$/),
        expect.stringMatching(/^Memory: [\d.]+GiB$/),
        'Network: bridge, host, null, overlay',
        'Volume: local',
        expect.stringMatching(`^Engine Version: ${VERSION}$`),
        '-----BEGIN CERTIFICATE-----',
      ]),
    );
  });

  it('are drained: their tasks go elsewhere, and the old ones are shown as shut down', async () => {
    expect(await type('mgr1', 'docker node update --availability drain worker1')).toBe('worker1');
    await untilRows('mgr1', 'docker node ls', [
      nodeRow('mgr1', 'Ready +Active +Leader', true),
      nodeRow('mgr2', 'Ready +Active +Reachable'),
      nodeRow('worker1', 'Ready +Drain'),
      nodeRow('worker2', 'Ready +Active'),
    ]);
    const shown = await until(
      async () => rows(await type('mgr1', 'docker service ps web')).slice(1),
      (all) =>
        all.filter((row) => / {2}Running {2,}Running /.test(row)).length === 8 &&
        all.filter((row) => / {2}Shutdown {2,}Shutdown /.test(row)).length === 2,
    );
    const moved = shown.filter((row) => row.includes('\\_ web.'));
    expect(moved).toHaveLength(2);
    for (const row of moved) expect(row).toMatch(/ worker1 +Shutdown +Shutdown /);
    expect(await type('worker1', 'docker ps -q')).toBe('');
    const pretty = await type('mgr1', 'docker node inspect --pretty worker1');
    expect(pretty).toMatch(/^ Availability:\s+Drain$/m);
  });

  it('made active again get only new tasks', async () => {
    await type('mgr1', 'docker node update --availability active worker1');
    await type('mgr1', 'docker service scale -d web=10');
    await untilRows('mgr1', 'docker service ls', [serviceRow('10/10')]);
    const shown = rows(await type('mgr1', 'docker node ps worker1 -f desired-state=running'));
    expect(shown.slice(1)).toEqual([
      expect.stringMatching(taskRow('web\\.(9|10)', 'worker1')),
      expect.stringMatching(taskRow('web\\.(9|10)', 'worker1')),
    ]);
  });

  it('that pause keep their tasks and get no new ones', async () => {
    await type('mgr1', 'docker node update --availability pause worker1');
    await type('mgr1', 'docker service scale -d web=14');
    const nodes = await cluster.placement('web', 14);
    expect(nodes.filter((name) => name === 'worker1')).toHaveLength(2);
    await type('mgr1', 'docker node update --availability active worker1');
  });

  it('lose the service that is removed', async () => {
    expect(await type('mgr1', 'docker service rm web')).toBe('web');
    expect(rows(await type('mgr1', 'docker service ls'))).toHaveLength(1);
    expect(await typeInVain('mgr1', 'docker service inspect web')).toContain(
      'no such service: web',
    );
    await until(
      () => type('worker2', 'docker ps -q'),
      (ids) => ids === '',
    );
  });
});

describe('labels and constraints', () => {
  it('are set, shown and removed', async () => {
    const update = 'docker node update --label-add zone=east --label-add ssd worker1';
    expect(await type('mgr1', update)).toBe('worker1');
    const labels = "docker node inspect worker1 --format '{{json .Spec.Labels}}'";
    expect(await type('mgr2', labels)).toBe('{"ssd":"","zone":"east"}');
    expect(await type('mgr1', 'docker node inspect --pretty worker1')).toMatch(
      /^Labels:\n - ssd\n - zone=east$/m,
    );
    await type('mgr2', 'docker node update --label-rm ssd worker1');
    expect(await type('mgr1', labels)).toBe('{"zone":"east"}');
    expect(rows(await type('mgr1', 'docker node ls -q -f node.label=zone=east'))).toEqual([
      await cluster.nodeId('worker1'),
    ]);
    await type('mgr1', 'docker node update --label-add zone=west worker2');
  });

  it('place tasks', async () => {
    const worker2 = await cluster.nodeId('worker2');
    const cases: [constraint: string, nodes: string[]][] = [
      ['node.labels.zone==east', ['worker1']],
      ['node.labels.zone!=east', ['mgr1', 'mgr2', 'worker2']],
      ['node.hostname==mgr2', ['mgr2']],
      ['node.role==manager', ['mgr1', 'mgr2']],
      ['node.role!=manager', ['worker1', 'worker2']],
      [`node.id==${worker2}`, ['worker2']],
      ['node.platform.os==linux', ['mgr1', 'mgr2', 'worker1', 'worker2']],
    ];
    for (const [n, [constraint]] of cases.entries()) {
      const flags = ['--mode', 'global', '--constraint', constraint];
      await cluster.create('--name', `on${n}`, ...flags, ...IDLE);
    }
    for (const [n, [, nodes]] of cases.entries()) {
      expect(await cluster.placement(`on${n}`, nodes.length)).toEqual(nodes);
    }
    await cluster.remove(...cases.map((_, n) => `on${n}`));
  });

  it('that no node meets keep tasks waiting, and say so', async () => {
    await cluster.create('--name', 'nowhere', '--constraint', 'node.labels.zone==north', ...IDLE);
    await untilRows('mgr1', 'docker service ps --no-trunc nowhere', [
      / Running +Pending .* "no suitable node \(scheduling constraints not satisfied on 4 nodes\)/,
    ]);
    await type('mgr1', 'docker node update --label-add zone=north worker2');
    expect(await cluster.placement('nowhere', 1)).toEqual(['worker2']);
    await cluster.remove('nowhere');
  });
});

describe('a global service', () => {
  it('runs once on each node, and is updated image by image', async () => {
    await type('mgr1', `docker service create -d --mode=global --name prometheus ${IMAGE}`);
    const everywhere = ['mgr1', 'mgr2', 'worker1', 'worker2'];
    expect(await cluster.placement('prometheus', 4)).toEqual(everywhere);
    await untilRows('mgr1', 'docker service ls', [/ prometheus +global +4\/4 /]);
    for (const name of everywhere) await type(name, `docker tag ${IMAGE} skep/web:movies`);
    const flags = '--image skep/web:movies --update-parallelism 2 --update-delay 0s';
    await type('mgr1', `docker service update -d prometheus ${flags}`);
    await untilRows('mgr1', 'docker service ps -f desired-state=running prometheus', [
      ...everywhere.map(() => / skep\/web:movies +\S+ +Running +Running /),
    ]);
    await cluster.remove('prometheus');
  });
});

describe('roles', () => {
  it('change by promote and demote', async () => {
    expect(await type('mgr1', 'docker node promote worker1 worker2')).toBe(
      'Node worker1 promoted to a manager in the swarm.\nNode worker2 promoted to a manager in the swarm.',
    );
    const manager = / Ready +Active +Reachable /;
    await untilRows('mgr1', 'docker node ls', [/ Leader /, manager, manager, manager]);
    const worker1 = await cluster.nodeId('worker1');
    expect(await type('mgr1', 'docker node promote worker1')).toBe(
      `Node ${worker1} is already a manager.`,
    );
    await until(
      () => cluster.machines.sshResult('worker1', 'docker node ls'),
      ({ code }) => code === 0,
    );
    expect(await type('worker1', 'docker node demote worker2')).toBe(
      'Manager worker2 demoted in the swarm.',
    );
    await untilRows('mgr1', 'docker node ls', [/ Leader /, manager, manager, / Ready +Active +\d/]);
    expect(await type('mgr1', 'docker node demote worker2')).toBe(
      `Node ${await cluster.nodeId('worker2')} is already a worker.`,
    );
    const refused = await until(
      () => cluster.machines.sshResult('worker2', 'docker node ls'),
      ({ stderr }) => stderr.includes('Worker nodes'),
    );
    expect(refused.stdout).toBe('');
  });

  it('change by node update too', async () => {
    const update = async (role: string) => {
      // Refused as out of sequence while the swarm itself writes to the node, as in Docker.
      const done = await until(
        () => cluster.machines.sshResult('mgr1', `docker node update --role ${role} worker1`),
        ({ code }) => code === 0,
      );
      expect(done.stdout.trim()).toBe('worker1');
    };
    await update('worker');
    await cluster.untilNode('worker1', /^Ready Active {2}\d/);
    await update('manager');
    await cluster.untilNode('worker1', /^Ready Active Reachable/);
  });
});

describe('losing nodes', () => {
  it('a worker: its tasks run elsewhere, and it is shown as down until it is back', async () => {
    await cluster.create('--name', 'web', '--replicas', '8', ...IDLE);
    expect(await cluster.placement('web', 8)).toContain('worker2');
    await cluster.machines.kill('worker2');
    await cluster.untilNode('worker2', /^Down Active/);
    const nodes = await cluster.placement('web', 8);
    expect(nodes).not.toContain('worker2');
    await cluster.machines.start('worker2');
    await cluster.untilNode('worker2', /^Ready Active/);
    expect(await type('worker2', 'docker ps -q')).toBe('');
    expect(await cluster.placement('web', 8)).toEqual(nodes);
  });

  it('the leader: another leads, and the swarm goes on', async () => {
    const lost = await cluster.leader();
    const others = ['mgr1', 'mgr2', 'worker1'].filter((name) => name !== lost);
    await cluster.machines.kill(lost);
    cluster.manager = others[0] ?? '';
    const next = await cluster.leader({ not: lost });
    expect(others).toContain(next);
    await cluster.untilNode(lost, /^Down Active Unreachable/);
    expect(await cluster.placement('web', 8)).not.toContain(lost);
    await type(cluster.manager, 'docker service scale -d web=10');
    await cluster.running('web', 10);
    await cluster.machines.start(lost);
    await cluster.untilNode(lost, /^Ready Active Reachable/);
    expect(await cluster.leader()).toBe(next);
    await untilRows(lost, 'docker service ls', [/ web +replicated +10\/10 /]);
  });
});

describe('leaving', () => {
  it('a worker leaves, is down, and is removed', async () => {
    expect(await type('worker2', 'docker swarm leave')).toBe('Node left the swarm.');
    await cluster.untilNode('worker2', /^Down/);
    expect(await type(cluster.manager, 'docker node rm worker2')).toBe('worker2');
    expect((await cluster.nodes()).map(({ hostname }) => hostname)).toEqual([
      'mgr1',
      'mgr2',
      'worker1',
    ]);
    expect(await type('worker2', "docker info -f '{{.Swarm.LocalNodeState}}'")).toBe('inactive');
  });
});
