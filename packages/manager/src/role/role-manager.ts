import { errorMessage } from '@skep/platform';
import type { NodeObject } from '@skep/wire';
import { NodeRole } from '@skep/wire/swarmkit';
import type { ControlLoop, ManagerMember, ManagerMembers } from '../contract.js';
import type { LoopOptions } from '../loop/planner.js';
import { Reconciler } from '../loop/reconciler.js';
import { within } from '../loop/within.js';
import { REMOVAL_MS_MAX, ROLE_RETRY_MS, TRANSFER_MS_MAX } from './limits.js';

export interface RoleManagerOptions extends LoopOptions {
  members: ManagerMembers;
}

/**
 * Makes nodes what they are desired to be. Who is promoted is a manager from now on and joins the others by
 * itself; who is demoted, or is no node any more, leaves their number first, for a worker's certificate must
 * not be given to one who still votes (wire-raft.md 1.4).
 */
export class RoleManager implements ControlLoop {
  readonly #options: RoleManagerOptions;
  readonly #reconciler: Reconciler<string>;
  #unsubscribe: (() => void)[] = [];
  #running = new AbortController();

  constructor(options: RoleManagerOptions) {
    this.#options = options;
    this.#reconciler = new Reconciler({
      name: 'role manager',
      ...options,
      reconcile: (nodeId) => this.#reconcile(nodeId),
    });
  }

  start(): void {
    const { store, members } = this.#options;
    this.#running = new AbortController();
    this.#unsubscribe = [
      store.subscribe(({ changes }) => {
        for (const { table, object } of changes) {
          if (table === 'node') this.#reconciler.mark(object.id);
        }
      }),
      members.onChange(() => this.#markUnsettled()),
    ];
    this.#markUnsettled();
    this.#reconciler.start();
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe = [];
    this.#running.abort();
    await this.#reconciler.stop();
  }

  #markUnsettled(): void {
    const { store, members } = this.#options;
    for (const node of store.view.all('node')) {
      if (isUnsettled(node)) this.#reconciler.mark(node.id);
    }
    // A demoted manager that starts once more before it has its new certificate joins again.
    for (const { nodeId } of members.list()) {
      if (!isToManage(store.view.get('node', nodeId))) this.#reconciler.mark(nodeId);
    }
  }

  async #reconcile(nodeId: string): Promise<void> {
    const node = this.#options.store.view.get('node', nodeId);
    const member = isToManage(node) ? undefined : this.#memberOf(nodeId);
    if (member) await this.#evict(member);
    else if (node && isUnsettled(node)) await this.#settle(nodeId);
  }

  #memberOf(nodeId: string): ManagerMember | undefined {
    return this.#options.members.list().find((member) => member.nodeId === nodeId);
  }

  /** Gives the node the role desired, if that is allowed still: a demoted one must be no member. */
  async #settle(nodeId: string): Promise<void> {
    await this.#options.store.update((tx) => {
      const node = tx.get('node', nodeId);
      if (!node || !isUnsettled(node)) return;
      const role = node.spec.desiredRole;
      if (role === NodeRole.WORKER && this.#memberOf(nodeId)) return;
      tx.update('node', { ...node, role });
    });
  }

  /** Takes a manager out of the voters' number, and looks at it again: now when it went well. */
  async #evict(member: ManagerMember): Promise<void> {
    const { signal } = this.#running;
    const isGone = await this.#remove(member, signal).catch((error: unknown) => {
      const fields = { nodeId: member.nodeId, error: errorMessage(error) };
      this.#options.log.info(fields, 'a manager could not be removed yet');
      return false;
    });
    if (signal.aborted) return;
    if (isGone) this.#reconciler.mark(member.nodeId);
    else this.#reconciler.markAfter(member.nodeId, ROLE_RETRY_MS);
  }

  /** Whether the member was removed: not while the others would lose their quorum by it. */
  async #remove({ raftId, nodeId }: ManagerMember, signal: AbortSignal): Promise<boolean> {
    const { members, clock } = this.#options;
    if (!members.canRemove(raftId)) return false;
    if (raftId === members.ownId && (await this.#resign(nodeId, signal))) return false;
    if (signal.aborted) return false;
    await within(clock, REMOVAL_MS_MAX, signal, members.remove(raftId));
    return true;
  }

  /** Leaves one's own removal to the next leader. False when nobody takes over: then one does it alone. */
  async #resign(nodeId: string, signal: AbortSignal): Promise<boolean> {
    const { members, clock, log } = this.#options;
    log.info({ nodeId }, 'this manager is demoted and hands over leadership');
    try {
      await within(clock, TRANSFER_MS_MAX, signal, members.transferLeadership());
      return true;
    } catch (error) {
      log.warn({ nodeId, error: errorMessage(error) }, 'nobody took over leadership');
      return false;
    }
  }
}

function isToManage(node: NodeObject | undefined): boolean {
  return node?.spec.desiredRole === NodeRole.MANAGER;
}

function isUnsettled(node: NodeObject): boolean {
  return node.role !== node.spec.desiredRole;
}
