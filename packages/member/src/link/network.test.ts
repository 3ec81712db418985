import { create } from '@bufbuild/protobuf';
import { Agent, type Executor, type TaskController } from '@skep/agent';
import { SimClock, SimDisk, SimRandom, silentLogger } from '@skep/platform';
import { SimNetwork } from '@skep/rpc';
import {
  NodeDescriptionSchema,
  NodeSpec_Availability,
  type SessionMessage,
  TaskState,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { enrol } from '../identity/enrol.js';
import { NodeIdentityStore } from '../identity/node-identity-store.js';
import { Renewer } from '../identity/renewer.js';
import { FakeSwarm } from '../identity/testing/fake-swarm.js';
import { Remotes } from '../remotes/remotes.js';
import { AgentConnector } from './agent-connector.js';
import { SimManager } from './testing/sim-manager.js';

const OWN_IP = '10.0.0.9';
const MANAGER_IPS = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];

/** Runs everything at once, and for ever. */
const executor: Executor = {
  describe: async () => create(NodeDescriptionSchema, { hostname: 'host1' }),
  configure: async () => {},
  restore: async () => {},
  controller: () => controller,
};
const controller: TaskController = {
  update: async () => {},
  prepare: async () => {},
  start: async () => {},
  wait: ({ signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  shutdown: async () => {},
  terminate: async () => {},
  remove: async () => {},
  close: async () => {},
  containerStatus: () => undefined,
  portStatus: () => undefined,
  async *logs() {},
};

describe('a worker on a network', () => {
  let clock: SimClock;
  let random: SimRandom;
  let network: SimNetwork;
  let swarm: FakeSwarm;
  let managers: SimManager[];
  let store: NodeIdentityStore;
  let remotes: Remotes;
  let connector: AgentConnector;
  let agent: Agent;
  let dialer: ReturnType<ReturnType<SimNetwork['host']>['dialer']>;

  beforeEach(async () => {
    clock = new SimClock();
    random = new SimRandom(21);
    network = new SimNetwork({ clock, random });
    swarm = new FakeSwarm(clock, random);
    managers = MANAGER_IPS.map((ip) => new SimManager(network, swarm, ip));
    for (const manager of managers) await manager.serve(managers.map(({ self }) => self));
    await join();
  });

  /** Joins by token through the first manager, and starts the agent. */
  async function join(): Promise<void> {
    const disk = new SimDisk();
    const directory = '/swarm';
    store = await NodeIdentityStore.open({ disk, clock, random, directory });
    dialer = network.host(OWN_IP).dialer({ identity: store, clock, random });
    remotes = await Remotes.open({ disk, directory, random, logger: silentLogger });
    connector = new AgentConnector({
      clock,
      dialer,
      remotes: {
        choose: (avoid) => remotes.choose({ avoid }),
        observe: (manager, isGood) => remotes.observe(manager, isGood),
      },
    });
    const joining = enrol({
      dialer,
      clock,
      random,
      addresses: [managers[0]!.self.address],
      token: swarm.tokens.worker,
      availability: NodeSpec_Availability.ACTIVE,
      signal: new AbortController().signal,
    });
    await clock.advance(1_000);
    const { credentials, rootPem } = await joining;
    await store.adopt({ credentials, rootPem });
    await remotes.add([managers[0]!.self.address]);
    agent = await Agent.start({
      executor,
      connect: () => connector.connect(),
      disk,
      clock,
      random,
      logger: silentLogger,
      directory: '/swarm/worker',
      tlsInfo: () => store.tlsInfo(),
      onTlsChange: (listener) => store.onChange(listener),
      onSession: ({ managers: peers }: SessionMessage) => void remotes.update(peers),
    });
    await clock.advance(1_000);
  }

  async function stop(): Promise<void> {
    await agent.stop();
    dialer.close();
    await clock.advance(0);
  }

  /** The manager that has the session now. */
  function current(): SimManager {
    const found = managers.find(({ self }) => self.nodeId === connector.manager?.nodeId);
    return found ?? managers.find(({ self }) => self.address === connector.manager?.address)!;
  }

  const ipOf = ({ self }: SimManager) => self.address.split(':')[0]!;

  it('joins, has a session, beats, runs its task and tells of it', async () => {
    const [first] = managers;
    expect(current()).toBe(first);
    expect(first!.sessions).toMatchObject([
      { nodeId: store.identity!.nodeId, request: { sessionId: '' } },
    ]);
    await clock.advance(3_000);
    expect(first!.heartbeats).toBeGreaterThanOrEqual(3);
    expect(first!.states.at(-1)).toBe(TaskState.RUNNING);
    expect(remotes.managers).toHaveLength(3);
    await stop();
  });

  it('turns to another manager when one stops, and tells it everything anew', async () => {
    const before = current();
    before.endSessions();
    await clock.advance(2_000);
    const after = current();
    expect(after).not.toBe(before);
    expect(after.sessions[0]?.request.sessionId).toMatch(/^[0-9a-z]{25}$/);
    expect(after.states).toEqual([TaskState.RUNNING]);
    await stop();
  });

  it('finds another within seconds when its manager dies, loses power or is cut off', async () => {
    for (const fault of ['kill', 'powerOff'] as const) {
      const before = current();
      network[fault](ipOf(before));
      await clock.advance(15_000);
      expect(current()).not.toBe(before);
      const { heartbeats } = current();
      await clock.advance(2_000);
      expect(current().heartbeats).toBeGreaterThan(heartbeats);
    }
    await stop();
  });

  it('keeps its task while no manager can be reached, and comes back', async () => {
    network.partition([OWN_IP], MANAGER_IPS);
    await clock.advance(120_000);
    for (const manager of managers) manager.states.length = 0;
    network.heal();
    await clock.advance(20_000);
    expect(current().states).toEqual([TaskState.RUNNING]);
    expect(remotes.managers).toHaveLength(3);
    await stop();
  });

  it('renews its certificate over the network, and tells the new one at once', async () => {
    const renewed: unknown[] = [];
    const renewer = new Renewer({
      store,
      dialer,
      remotes,
      clock,
      random,
      logger: silentLogger,
      onRenewed: (change) => renewed.push(change),
    });
    renewer.start();
    const before = store.current()!.certificatePem;
    renewer.renew();
    await clock.advance(3_000);
    expect(renewed).toEqual([{ before: 'worker', after: 'worker' }]);
    expect(store.current()!.certificatePem).not.toBe(before);
    const heartbeats = current().heartbeats;
    await clock.advance(5_000);
    expect(current().heartbeats).toBeGreaterThan(heartbeats);
    await renewer.stop();
    await stop();
  });

  it('leaves nothing under way behind', async () => {
    await stop();
    await clock.advance(60_000);
    expect(clock.pendingTimers).toBe(0);
  });
});
