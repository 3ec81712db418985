import { sameAddress } from '../../address.js';
import {
  type Alive,
  type Dead,
  encodeMessage,
  type Message,
  type Suspect,
  U32_MAX,
} from '../../codec/messages.js';
import { type NodeSnapshot, NodeState } from '../../codec/stream.js';
import { MEMBERS_MAX } from '../../limits.js';
import type { BroadcastQueue } from '../broadcast-queue.js';
import type { Timers } from '../timers.js';
import type { Awareness } from './awareness.js';
import { isGone, type Member, type Members } from './members.js';
import { Suspicion } from './suspicion.js';

/** Hears how members come and go. */
export interface MemberListener {
  /** Is there, for the first time or again. */
  onAlive(member: Member): void;
  /** Is dead, or has left. */
  onGone(member: Member): void;
}

export interface ClaimsOptions {
  /** Name of this node. */
  self: string;
  members: Members;
  awareness: Awareness;
  timers: Timers;
  queue: BroadcastQueue;
  listener: MemberListener;
}

/**
 * What nodes say of each other: who is alive, suspected, dead. A claim about an earlier incarnation of a
 * node counts for nothing, and a node itself contradicts what is wrong of it under a new one.
 */
export class Claims {
  readonly #options: ClaimsOptions;
  readonly #suspicions = new Map<string, Suspicion>();
  #hasLeft = false;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** This node says so itself: it is there. */
  begin(me: Omit<Alive, 'kind'>): void {
    this.#add({ ...me, state: NodeState.ALIVE });
    this.#tell({ kind: 'alive', ...me }, me.node);
  }

  /** This node leaves. */
  leave(): void {
    const { self, members } = this.#options;
    const me = members.get(self);
    if (!me || this.#hasLeft) return;
    this.#hasLeft = true;
    this.dead({ kind: 'dead', incarnation: me.incarnation, node: self, from: self });
  }

  alive(claim: Alive): void {
    const { self, members, timers } = this.#options;
    const known = members.get(claim.node);
    if (!isUnderstood(claim.versions)) return;
    if (claim.node === self) {
      this.#aboutSelf(claim);
      return;
    }
    if (!known) {
      if (members.size >= MEMBERS_MAX) return;
      const { kind, ...snapshot } = claim;
      const member = this.#add({ ...snapshot, state: NodeState.ALIVE });
      this.#tell(claim, claim.node);
      this.#options.listener.onAlive(member);
      return;
    }
    const isElsewhere = !sameAddress(known.address, claim.address);
    // Two nodes of one name: the one that is there counts, until it says itself that it leaves.
    if (isElsewhere && known.state !== NodeState.LEFT) return;
    if (claim.incarnation <= known.incarnation && !isElsewhere) return;
    this.#endSuspicion(claim.node);
    this.#tell(claim, claim.node);
    const wasGone = isGone(known);
    const { incarnation, address, meta } = claim;
    const versions = claim.versions.length > 0 ? claim.versions : known.versions;
    if (known.state !== NodeState.ALIVE) known.changedMs = timers.nowMs;
    Object.assign(known, { incarnation, address, meta, versions, state: NodeState.ALIVE });
    if (wasGone) this.#options.listener.onAlive(known);
  }

  suspect(claim: Suspect): void {
    const { self, members, timers } = this.#options;
    const member = members.get(claim.node);
    if (!member || claim.incarnation < member.incarnation) return;
    const suspicion = this.#suspicions.get(claim.node);
    if (suspicion) {
      if (suspicion.confirm(claim.from)) this.#tell(claim, claim.node);
      return;
    }
    if (member.state !== NodeState.ALIVE) return;
    if (claim.node === self) {
      this.#refute(member, claim.incarnation);
      return;
    }
    this.#tell(claim, claim.node);
    const { incarnation } = claim;
    Object.assign(member, { incarnation, state: NodeState.SUSPECT, changedMs: timers.nowMs });
    const onOver = () => {
      const { node, incarnation } = member;
      this.dead({ kind: 'dead', incarnation, node, from: self });
    };
    const { from } = claim;
    const begun = new Suspicion({ timers, from, nodes: members.size, onOver });
    this.#suspicions.set(claim.node, begun);
  }

  dead(claim: Dead): void {
    const { self, members, timers, listener } = this.#options;
    const member = members.get(claim.node);
    if (!member || claim.incarnation < member.incarnation) return;
    this.#endSuspicion(claim.node);
    if (isGone(member)) return;
    if (claim.node === self && !this.#hasLeft) {
      this.#refute(member, claim.incarnation);
      return;
    }
    this.#tell(claim, claim.node);
    const state = claim.node === claim.from ? NodeState.LEFT : NodeState.DEAD;
    const { incarnation } = claim;
    Object.assign(member, { incarnation, state, changedMs: timers.nowMs });
    listener.onGone(member);
  }

  /** What another node knows. Whom it takes for dead is only suspected: it may be the one cut off. */
  merge(snapshots: readonly NodeSnapshot[]): void {
    const { self } = this.#options;
    for (const { state, ...snapshot } of snapshots) {
      const { node, incarnation } = snapshot;
      if (state === NodeState.ALIVE) this.alive({ kind: 'alive', ...snapshot });
      else if (state === NodeState.LEFT) this.dead({ kind: 'dead', incarnation, node, from: node });
      else this.suspect({ kind: 'suspect', incarnation, node, from: self });
    }
  }

  #add(snapshot: NodeSnapshot): Member {
    const member: Member = { ...snapshot, changedMs: this.#options.timers.nowMs };
    this.#options.members.add(member);
    return member;
  }

  /** Others know of this node what it was before, or was never. */
  #aboutSelf({ incarnation, address, meta, versions }: Alive): void {
    const me = this.#options.members.get(this.#options.self);
    if (!me || this.#hasLeft || incarnation < me.incarnation) return;
    const isSame =
      sameAddress(address, me.address) &&
      Buffer.compare(meta, me.meta) === 0 &&
      Buffer.compare(versions, me.versions) === 0;
    if (incarnation > me.incarnation || !isSame) this.#refute(me, incarnation);
  }

  /** Whatever is said of this node: it is well, and under a later incarnation than that was said of. */
  #refute(me: Member, accused: number): void {
    me.incarnation = Math.min(Math.max(me.incarnation, accused) + 1, U32_MAX);
    this.#options.awareness.change(1);
    const { state, changedMs, ...alive } = me;
    this.#tell({ kind: 'alive', ...alive }, me.node);
  }

  #endSuspicion(node: string): void {
    this.#suspicions.get(node)?.end();
    this.#suspicions.delete(node);
  }

  /** What is said of a node takes the place of what was said of it before. */
  #tell(message: Message, node: string): void {
    this.#options.queue.push(encodeMessage(message), node);
  }
}

/** The version of memberlist's protocol that all speak. */
const PRESENT_VERSION = 2;

function isUnderstood(versions: Uint8Array): boolean {
  if (versions.length < 3) return true;
  const [least = 0, most = 0] = versions;
  return least > 0 && least <= PRESENT_VERSION && most >= PRESENT_VERSION;
}
