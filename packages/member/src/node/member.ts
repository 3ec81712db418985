import { join } from 'node:path';
import { Agent, type Executor, type NetworkResources } from '@skep/agent';
import type { ExternalAuthority, NodeRole } from '@skep/ca';
import type { SwarmFlaws } from '@skep/manager';
import { Code, errorMessage, invariant, RpcError } from '@skep/platform';
import type { Entry } from '@skep/raft';
import type { Dialer, Host, IdentitySource } from '@skep/rpc';
import type { DataPath } from '@skep/wire';
import type { SessionMessage } from '@skep/wire/swarmkit';
import { type NodeIdentityStore, Renewer } from '../identity/index.js';
import { type ImageShelf, ShelfDoor, SwarmImages } from '../images/index.js';
import { type Founding, Manager, raftDirectory } from '../manager/manager.js';
import { NetworksFollower, type NetworkTablesSink } from '../networks/index.js';
import type { MemberPlatform } from '../platform.js';
import type { RemoteManager, Remotes } from '../remotes/index.js';
import { type SwarmState, SwarmStateFile } from '../state/state-file.js';
import { hostOf, joinHostPort, portOf } from './address.js';
import { awaitRole, type RemovedManager } from './after-removal.js';
import { managerConnector } from './connector.js';
import { joinRaft } from './join-raft.js';
import { KeyKeeper } from './key-keeper.js';
import { ManagerKeeper } from './manager-keeper.js';
import { untilAborted } from './waiting.js';

/** The ways to other nodes, under this node's identity. */
export interface Doors {
  dialer: Dialer;
  host: Host;
  /** Authorities outside of the swarm. */
  external: ExternalAuthority;
}

export interface MemberOptions extends MemberPlatform {
  /** The swarm's directory, below the data root. */
  directory: string;
  executor: Executor;
  doors(identity: IdentitySource): Doors;
  /** Whether a host (an IP) is this machine. */
  isOwnHost(host: string): boolean;
  /** Subnets in use on this host, as CIDRs: networks made while this node leads keep clear of them. */
  hostSubnets?(): readonly string[];
  /** Takes what managers tell of this node's networks; without it, they are not asked. */
  networkTables?: NetworkTablesSink;
  /** The images of this node, for nodes whose tasks need them; without it, none are served or asked for. */
  imageShelf?: ImageShelf;
  /** Hears what a manager says at the beginning of a session, and whenever that changes. */
  onSession?(message: SessionMessage): void;
  /** How this node can encrypt overlay packets. Asked each time it describes itself. */
  encryption?(): Omit<DataPath, 'address'>;
  /** Known bugs, for the simulator. */
  swarmFlaws?: SwarmFlaws | undefined;
}

/** How the first manager of this run starts, where that is not as usual. */
export interface FirstManager {
  entry: Entry;
  founding?: Founding;
}

/**
 * A node with an identity, at work: its agent, its manager for as long as it is one, and the renewal of its
 * certificate.
 */
export class SwarmMember {
  readonly #options: MemberOptions;
  readonly #identity: NodeIdentityStore;
  readonly #remotes: Remotes;
  readonly #file: SwarmStateFile;
  readonly #doors: Doors;
  readonly #keys: KeyKeeper;
  readonly #keeper: ManagerKeeper;
  readonly #renewer: Renewer;
  readonly #networks: NetworksFollower | undefined;
  readonly #images: SwarmImages | undefined;
  #shelfDoor: ShelfDoor | undefined;
  readonly #abort = new AbortController();
  readonly #listeners = new Set<() => void>();
  readonly #forgetIdentity: () => void;
  #state: SwarmState;
  #first: FirstManager | undefined;
  #agent: Agent | undefined;
  /** Host that managers see this node at; undefined before the first session. */
  #seenHost: string | undefined;
  #hasSession = false;

  private constructor(
    options: MemberOptions,
    parts: { identity: NodeIdentityStore; remotes: Remotes; state: SwarmState; doors: Doors },
    first: FirstManager | undefined,
  ) {
    const { clock, random, log } = options;
    const { identity, remotes, state, doors } = parts;
    this.#options = options;
    this.#identity = identity;
    this.#remotes = remotes;
    this.#state = state;
    this.#first = first;
    this.#doors = doors;
    this.#file = new SwarmStateFile(options.disk, options.directory);
    this.#keys = new KeyKeeper(identity, random);
    const { networkTables: sink, swarmFlaws: flaws } = options;
    this.#networks = sink && new NetworksFollower({ clock, log, sink, flaws });
    this.#images = options.imageShelf && new SwarmImages({ dialer: doors.dialer, log });
    const shared = { clock, random, logger: log, remotes, dialer: doors.dialer };
    this.#renewer = new Renewer({ ...shared, store: identity, onRenewed: () => this.#changed() });
    this.#keeper = new ManagerKeeper({
      clock,
      log,
      isWanted: () => identity.identity?.role === 'manager',
      start: (signal) => this.#startManager(signal),
      erase: () => options.disk.remove(raftDirectory(options.directory)),
      afterRemoval: (sinceMs, signal) => awaitRole(this.#removed, sinceMs, signal),
      onChange: () => this.#changed(),
      onFatal: options.onFatal,
    });
    this.#forgetIdentity = identity.onChange(() => {
      this.#keeper.wake();
      this.#changed();
    });
  }

  /**
   * Puts a node to work that has its identity. Resolves when its manager, if it is one, runs or could not be
   * started (see {@link problem}), and its agent has taken up the tasks of the last run.
   */
  static async start(
    options: MemberOptions,
    parts: { identity: NodeIdentityStore; remotes: Remotes; state: SwarmState; doors: Doors },
    first?: FirstManager,
  ): Promise<SwarmMember> {
    const member = new SwarmMember(options, parts, first);
    await member.#start();
    return member;
  }

  async #start(): Promise<void> {
    const { clock, random, disk, log, executor, directory } = this.#options;
    const start = () =>
      Agent.start({
        executor,
        clock,
        random,
        disk,
        logger: log,
        directory: join(directory, 'worker'),
        connect: managerConnector({
          nodeId: this.nodeId,
          clock,
          dialer: this.#doors.dialer,
          remotes: this.#remotes,
          networks: this.#networks,
          images: this.#images,
          ownHost: () => hostOf(this.advertiseAddress),
          manager: () => this.#keeper.manager,
          onChange: (listener) => void this.onChange(listener),
        }),
        dataPath: () => this.#dataPath,
        tlsInfo: () => this.#identity.tlsInfo(),
        onTlsChange: (listener) => this.#identity.onChange(listener),
        onSession: (message) => this.#onSession(message),
      });
    this.#openShelf();
    this.#renewer.start();
    this.#keeper.run();
    const isManager = this.role === 'manager';
    // A manager that founds or resumes needs no session to find its address, one that joins may.
    if (isManager && this.#state.advertiseAddress) await this.#keeper.settled;
    try {
      this.#agent = await start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Lets go of everything; containers go on, and so does the membership at the next start. */
  async stop(): Promise<void> {
    this.#abort.abort(new RpcError(Code.CANCELED, 'the node stops'));
    this.#forgetIdentity();
    await this.#agent?.stop();
    await this.#shelfDoor?.close();
    await this.#renewer.stop();
    await this.#keeper.stop();
    await this.#remotes.flushed();
  }

  /** Ends the membership: containers of its tasks are removed, and nothing stays on disk. */
  async leave(): Promise<void> {
    this.#abort.abort(new RpcError(Code.CANCELED, 'the node leaves'));
    this.#forgetIdentity();
    await this.#agent?.leave();
    this.#agent = undefined;
    await this.stop();
    await this.#file.remove();
  }

  /** Other nodes may ask for this one's images from now on. */
  #openShelf(): void {
    const { clock, imageShelf: shelf, log } = this.#options;
    const { identity } = this.#identity;
    if (!shelf || !this.#images || !identity) return;
    this.#shelfDoor = new ShelfDoor({
      ...{ shelf, clock, log, images: this.#images, host: this.#doors.host },
      clusterId: identity.clusterId,
      listenAt: (port) => joinHostPort(hostOf(this.#state.listenAddress), String(port)),
    });
    this.#shelfDoor.open();
  }

  /** What other nodes hold, and what the swarm needs, of images. */
  get images(): SwarmImages | undefined {
    return this.#images;
  }

  get nodeId(): string {
    const { identity } = this.#identity;
    invariant(identity, 'a member has an identity');
    return identity.nodeId;
  }

  get role(): NodeRole {
    return this.#identity.identity?.role ?? 'worker';
  }

  /** Whether this node's certificate is valid now, by its clock. */
  get isInDate(): boolean {
    return this.#identity.isInDate;
  }

  /** `ip:port` this node is reached at by others; empty while not known. */
  get advertiseAddress(): string {
    const { advertiseAddress, listenAddress } = this.#state;
    if (advertiseAddress || this.#seenHost === undefined) return advertiseAddress;
    return joinHostPort(this.#seenHost, portOf(listenAddress));
  }

  /** Where others send this node's overlay packets, an IP; empty while not known. */
  get dataPathAddress(): string {
    return this.#state.dataPathAddress || hostOf(this.advertiseAddress);
  }

  /** Where others send this node's overlay packets, as far as its user or its daemon knows. */
  get #dataPath(): DataPath {
    const { advertiseAddress, dataPathAddress } = this.#state;
    const address = dataPathAddress || hostOf(advertiseAddress);
    return { address, ...this.#options.encryption?.() };
  }

  /**
   * Has a task of this node taken out of use on all nodes. Resolves when that is done, or enough time
   * has passed for it; rejects UNIMPLEMENTED where managers are of another kind, UNAVAILABLE without
   * one.
   */
  async withdraw(taskId: string, signal: AbortSignal): Promise<void> {
    if (this.#networks) return await this.#networks.withdraw(taskId, signal);
    throw new RpcError(Code.UNIMPLEMENTED, 'this node does not follow its networks');
  }

  /** Addresses for containers that are no tasks. */
  get networkResources(): NetworkResources | undefined {
    return this.#agent;
  }

  /** The manager at work, if this node is one. */
  get manager(): Manager | undefined {
    return this.#keeper.manager;
  }

  /** Why the manager this node should have does not run; undefined while it does. */
  get problem(): string | undefined {
    if (!this.isInDate) return 'swarm certificates have expired, or the clock is wrong';
    return this.#keeper.manager ? undefined : this.#keeper.error;
  }

  /** The managers known, this node among them if it is one. */
  get managers(): readonly RemoteManager[] {
    const members = this.manager?.raftStatus.members;
    return members && members.length > 0 ? members : this.#remotes.managers;
  }

  /** Whether the node takes part: a worker has had a session, a manager knows the swarm's objects too. */
  get isReady(): boolean {
    const isManager = this.role === 'manager';
    return this.#hasSession && (!isManager || this.manager?.isReady === true);
  }

  /** Resolves when {@link isReady}; rejects when the node stops first. */
  async untilReady(): Promise<void> {
    await untilAborted(
      this.#abort.signal,
      (look) => this.onChange(look),
      () => this.isReady,
    );
  }

  /** Calls `listener` when anything told here may have changed. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  get #removed(): RemovedManager {
    return {
      clock: this.#options.clock,
      role: () => this.role,
      desiredRole: () => this.#renewer.desiredRole,
      renewedMs: () => this.#renewer.renewedMs,
      renew: () => this.#renewer.renew(),
      onChange: (listener) => this.onChange(listener),
    };
  }

  #onSession(message: SessionMessage): void {
    const { node, managers, RootCA } = message;
    this.#hasSession = true;
    if (node?.status?.addr) this.#seenHost = node.status.addr;
    void this.#remotes.update(managers);
    if (RootCA.length > 0) {
      this.#identity.updateRoot(Buffer.from(RootCA).toString()).catch((error: unknown) => {
        this.#options.log.warn(
          { error: errorMessage(error) },
          'the root certificate was not taken over',
        );
      });
    }
    if (node) this.#renewer.observe(node);
    this.#changed();
    this.#options.onSession?.(message);
  }

  async #startManager(signal: AbortSignal): Promise<Manager> {
    const { clock, random, disk, log, onFatal, directory } = this.#options;
    const { identity } = this.#identity;
    invariant(identity, 'a manager has an identity');
    const address = await this.#settleAddress(signal);
    const { dialer } = this.#doors;
    const { nodeId, clusterId } = identity;
    const join = () => joinRaft({ dialer, remotes: this.#remotes, nodeId, address });
    const first = this.#first;
    const manager = await Manager.start({
      ...{ clock, random, disk, log, onFatal, nodeId, clusterId },
      ...this.#doors,
      listenAddress: this.#state.listenAddress,
      advertiseAddress: address,
      directory: raftDirectory(directory),
      keyWrapping: this.#keys.wrapping,
      entry: first?.entry ?? { kind: 'join', join },
      founding: first?.founding,
      swarmFlaws: this.#options.swarmFlaws,
      hostSubnets: () => this.#options.hostSubnets?.() ?? [],
      protect: (key, version, rewrap) => this.#keys.protect(key, version, rewrap),
    });
    this.#first = undefined;
    return manager;
  }

  /** The address to tell other managers: where the user gave none, the one they see this node at. */
  async #settleAddress(signal: AbortSignal): Promise<string> {
    await untilAborted(
      signal,
      (look) => this.onChange(look),
      () => this.advertiseAddress !== '',
    );
    const advertiseAddress = this.advertiseAddress;
    if (this.#state.advertiseAddress === '') {
      this.#state = { ...this.#state, advertiseAddress };
      await this.#file.write(this.#state);
    }
    return advertiseAddress;
  }
}
