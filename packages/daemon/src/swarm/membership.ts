import type { NetworkResources } from '@skep/agent';
import {
  type LocalNodeState,
  managerError,
  membershipError,
  type SwarmInit,
  type SwarmJoin,
  type SwarmNode,
  type SwarmNodeInfo,
  unlockError,
} from '@skep/api';
import { formatUnlockKey } from '@skep/ca';
import type { Control, LogBrokerService, WatchService } from '@skep/manager';
import {
  hostOf,
  IdentityError,
  type Manager,
  type MemberOptions,
  Membership,
  type SwarmImages,
} from '@skep/member';
import { Code, RpcError } from '@skep/platform';
import type { ReadView } from '@skep/store';

/** Of a node that is in a swarm and does not talk to it yet. */
export const NO_MANAGER_YET: NetworkResources = {
  attachNetwork: async () => Promise.reject(noManagerYet()),
  detachNetwork: async () => Promise.reject(noManagerYet()),
  renameContainer: async () => Promise.reject(noManagerYet()),
};

function noManagerYet(): RpcError {
  return new RpcError(Code.UNAVAILABLE, 'this node does not reach a manager of its swarm yet');
}

/** Time a request to join waits for its outcome, as in Docker; joining goes on after it. */
const JOIN_WAIT_MS = 20_000;

/** This node's membership as the API sees it: Docker's rules and words around the room that does it. */
export class SwarmMembership implements SwarmNode {
  readonly #options: MemberOptions;
  readonly #membership: Membership;

  constructor(options: MemberOptions) {
    this.#options = options;
    this.#membership = new Membership(options);
  }

  restore(): Promise<void> {
    return this.#membership.restore();
  }

  stop(): Promise<void> {
    return this.#membership.stop();
  }

  localNodeState(): LocalNodeState {
    return this.#membership.state;
  }

  nodeId(): string {
    return this.#membership.member?.nodeId ?? '';
  }

  nodeAddress(): string {
    return hostOf(this.#membership.member?.advertiseAddress ?? '');
  }

  /** Where others send this node's overlay packets; empty while not known. */
  dataPathAddress(): string {
    return this.#membership.member?.dataPathAddress ?? '';
  }

  /** Addresses in the swarm's networks for plain containers; undefined when this node is in no swarm. */
  networkResources(): NetworkResources | undefined {
    if (this.localNodeState() === 'inactive') return undefined;
    return this.#membership.member?.networkResources ?? NO_MANAGER_YET;
  }

  /** What other nodes hold, and what the swarm needs, of images; undefined in no swarm. */
  get images(): SwarmImages | undefined {
    return this.#membership.member?.images;
  }

  /** Takes a task of this node out of balancing and names, everywhere. */
  async withdraw(taskId: string, signal: AbortSignal): Promise<void> {
    await this.#membership.member?.withdraw(taskId, signal);
  }

  async init(request: SwarmInit): Promise<string> {
    if (request.forceNewCluster && this.#membership.member) {
      this.#mustManage();
      await this.#membership.foundAnew(request);
    } else {
      if (this.localNodeState() !== 'inactive') throw membershipError('alreadyInSwarm');
      await this.#membership.found(request);
    }
    return this.nodeId();
  }

  async join(request: SwarmJoin): Promise<void> {
    if (this.localNodeState() !== 'inactive') throw membershipError('alreadyInSwarm');
    const late = new AbortController();
    const cancel = this.#options.clock.after(JOIN_WAIT_MS, () => {
      late.abort(membershipError('joinTimeout'));
    });
    try {
      await this.#membership.join(request, late.signal);
    } catch (error) {
      // What managers refuse is told as they said it, what this node finds wrong in plain words.
      const isOwn = late.signal.aborted || error instanceof IdentityError;
      throw isOwn ? error : managerError(error);
    } finally {
      cancel();
    }
  }

  async leave(): Promise<void> {
    await this.#membership.leave();
  }

  async unlock(key: string): Promise<void> {
    if (!(await this.#membership.unlock(key))) throw unlockError('wrongKey');
  }

  async unlockKey(): Promise<string> {
    const key = await this.#mustManage().unlockKey();
    return key.length > 0 ? formatUnlockKey(key) : '';
  }

  control(): Control {
    return this.#mustManage().control;
  }

  logs(): Pick<LogBrokerService, 'subscribeLogs'> {
    return this.#mustManage().logs;
  }

  watch(): WatchService {
    return this.#mustManage().watch;
  }

  /** The swarm's objects; undefined while this node is no working manager. */
  view(): ReadView | undefined {
    return this.#membership.member?.manager?.view;
  }

  info(): SwarmNodeInfo {
    const { member, error } = this.#membership;
    const manager = member?.manager;
    return {
      isManager: member?.role === 'manager',
      controlAvailable: manager !== undefined,
      managers: manager?.raftStatus.members ?? [],
      error,
      remoteManagers: (member?.managers ?? []).map(({ nodeId, address }) => ({ nodeId, address })),
    };
  }

  onChange(listener: () => void): () => void {
    return this.#membership.onChange(listener);
  }

  #mustManage(): Manager {
    const { member, state } = this.#membership;
    if (member?.manager) return member.manager;
    if (state === 'inactive') throw membershipError('noSwarm');
    if (state === 'locked') throw membershipError('locked');
    if (member && !member.isInDate) throw membershipError('certificatesExpired');
    throw membershipError(member?.role === 'worker' ? 'worker' : 'notReady');
  }
}
