import { join } from 'node:path';
import { Agent, type Executor } from '@skep/agent';
import {
  type LocalNodeState,
  leaveRefusal,
  membershipError,
  type SwarmInit,
  type SwarmJoin,
  type SwarmNode,
  type SwarmNodeInfo,
  unlockError,
} from '@skep/api';
import type { Control, LogBrokerService, WatchService } from '@skep/manager';
import { type Cancel, Code, errorMessage, hasErrno, newId, RpcError } from '@skep/platform';
import type { ReadView } from '@skep/store';
import { foundIdentity, loadTlsInfo } from './identity.js';
import { localLink } from './link.js';
import { Manager, type Platform } from './manager.js';
import { type SwarmState, SwarmStateFile } from './state-file.js';

/** Wait between two attempts to take up the swarm on a full disk. */
const SPACE_RETRY_MS = 2_000;

export interface MembershipOptions extends Platform {
  dataRoot: string;
  executor: Executor;
}

/** A member at work: the manager and the worker of this node. */
interface Member {
  state: SwarmState;
  manager: Manager;
  agent: Agent;
}

/** This node's place in a swarm: none, or the only manager and worker of one. */
export class Membership implements SwarmNode {
  readonly #options: MembershipOptions;
  readonly #file: SwarmStateFile;
  readonly #listeners = new Set<() => void>();
  #member: Member | undefined;
  #localState: LocalNodeState = 'inactive';
  #error = '';
  #takingUp = Promise.resolve();
  #cancelRetry: Cancel = () => {};

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#file = new SwarmStateFile(options.disk, options.dataRoot);
  }

  /** Takes up the membership of the last run, if any. What prevents it is shown in `info`. */
  async restore(): Promise<void> {
    const state = await this.#file.read();
    if (!state) return;
    this.#become('pending');
    this.#takingUp = this.#takeUp(state);
    await this.#takingUp;
  }

  async #takeUp(state: SwarmState): Promise<void> {
    const { clock, log } = this.#options;
    try {
      this.#member = await this.#start(state);
      this.#error = '';
      this.#become('active');
    } catch (error) {
      log.error({ error: errorMessage(error) }, 'cannot take up the swarm');
      this.#error = errorMessage(error);
      this.#become('error');
      if (!isLackOfSpace(error)) return;
      this.#cancelRetry = clock.after(SPACE_RETRY_MS, () => {
        this.#takingUp = this.#takeUp(state);
      });
    }
  }

  /** No attempt to take up the swarm is under way or to come after this. */
  async #endTakingUp(): Promise<void> {
    this.#cancelRetry();
    await this.#takingUp;
    this.#cancelRetry();
  }

  /** Lets go of everything; containers go on. */
  async stop(): Promise<void> {
    await this.#endTakingUp();
    const member = this.#member;
    this.#member = undefined;
    await member?.agent.stop();
    await member?.manager.stop();
  }

  localNodeState(): LocalNodeState {
    return this.#localState;
  }

  nodeId(): string {
    return this.#member?.state.nodeId ?? '';
  }

  nodeAddress(): string {
    return hostOf(this.#member?.state.advertiseAddress ?? '');
  }

  async init(request: SwarmInit): Promise<string> {
    if (this.#localState !== 'inactive') throw membershipError('alreadyInSwarm');
    this.#become('pending');
    try {
      this.#member = await this.#found(request);
      this.#become('active');
      return this.#member.state.nodeId;
    } catch (error) {
      this.#become('inactive');
      throw error;
    }
  }

  async join(_request: SwarmJoin): Promise<void> {
    if (this.#localState !== 'inactive') throw membershipError('alreadyInSwarm');
    throw new RpcError(Code.UNIMPLEMENTED, 'joining a swarm is not supported by this engine yet');
  }

  async leave(force: boolean): Promise<void> {
    if (this.#localState === 'inactive') throw membershipError('notInSwarm');
    if (!force && this.#localState !== 'error') throw leaveRefusal(1, 0);
    await this.#endTakingUp();
    const member = this.#member;
    this.#member = undefined;
    this.#become('pending');
    await member?.agent.leave();
    await member?.manager.stop();
    await this.#file.remove();
    this.#error = '';
    this.#become('inactive');
  }

  async unlock(_key: string): Promise<void> {
    if (this.#localState === 'inactive') throw membershipError('notInSwarm');
    throw unlockError('notLocked');
  }

  async unlockKey(): Promise<string> {
    this.#serving();
    return ''; // no manager is locked here: autolock cannot be turned on yet
  }

  control(): Control {
    return this.#serving().manager.control;
  }

  logs(): LogBrokerService {
    return this.#serving().manager.logBroker;
  }

  watch(): WatchService {
    return this.#serving().manager.watch;
  }

  /** The swarm's objects; undefined while this node is no working manager. */
  view(): ReadView | undefined {
    return this.#member?.manager.store.view;
  }

  info(): SwarmNodeInfo {
    const member = this.#member;
    return {
      controlAvailable: member !== undefined,
      error: this.#error,
      remoteManagers: member
        ? [{ nodeId: member.state.nodeId, address: member.state.advertiseAddress }]
        : [],
    };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #serving(): Member {
    if (this.#member) return this.#member;
    throw membershipError(this.#localState === 'inactive' ? 'noSwarm' : 'notReady');
  }

  #become(state: LocalNodeState): void {
    this.#localState = state;
    for (const listener of this.#listeners) listener();
  }

  async #found(request: SwarmInit): Promise<Member> {
    const { random, disk, clock } = this.#options;
    const directory = this.#file.directory;
    const state: SwarmState = {
      nodeId: newId(random),
      clusterId: newId(random),
      listenAddress: request.listenAddress,
      advertiseAddress: request.advertiseAddress,
      dataPathAddress: request.dataPathAddress,
    };
    await this.#file.prepare();
    const identity = await foundIdentity({ disk, clock, random, directory, state });
    const member = await this.#start(state, {
      clusterId: state.clusterId,
      spec: request.spec,
      rootCa: identity.rootCa,
      defaultAddressPool: request.defaultAddressPool,
      subnetSize: request.subnetSize,
      dataPathPort: request.dataPathPort,
      node: {
        id: state.nodeId,
        address: state.advertiseAddress,
        availability: request.availability,
        certificate: identity.certificate,
      },
    });
    await this.#file.write(state);
    return member;
  }

  async #start(state: SwarmState, founding?: Parameters<typeof Manager.start>[0]['founding']) {
    const { clock, random, disk, log, executor } = this.#options;
    const directory = this.#file.directory;
    const manager = await Manager.start({
      ...this.#options,
      state,
      directory,
      ...(founding ? { founding } : {}),
    });
    const tlsInfo = await loadTlsInfo(disk, directory);
    const { nodeId, advertiseAddress } = state;
    const link = localLink(nodeId, hostOf(advertiseAddress), manager.dispatcher, manager.logBroker);
    try {
      const agent = await Agent.start({
        executor,
        clock,
        random,
        disk,
        logger: log,
        directory: join(directory, 'worker'),
        connect: async () => link,
        tlsInfo: () => tlsInfo,
      });
      return { state, manager, agent };
    } catch (error) {
      await manager.stop();
      throw error;
    }
  }
}

/** Whether the disk was too full, however the error is wrapped. */
function isLackOfSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return hasErrno(error, 'ENOSPC', 'EDQUOT') || isLackOfSpace(error.cause);
}

/** The host of `host:port`, IPv6 brackets taken off. */
function hostOf(address: string): string {
  return address.slice(0, Math.max(0, address.lastIndexOf(':'))).replace(/^\[|\]$/g, '');
}
