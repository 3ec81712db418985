import type { Cancel } from '@skep/platform';
import type { Address } from '../../address.js';
import type { IndirectPing, Ping, Source, Suspect } from '../../codec/messages.js';
import { NodeState } from '../../codec/stream.js';
import {
  INDIRECT_PROBES,
  PROBE_INTERVAL_MS,
  PROBE_TIMEOUT_MS,
  RELAYED_PROBES_MAX,
} from '../../limits.js';
import type { Courier } from '../courier.js';
import type { Outbox } from '../outbox.js';
import type { Timers } from '../timers.js';
import type { Awareness } from './awareness.js';
import { isGone, type Member, type Members, versionMax } from './members.js';

/** Members of these versions answer pings over TCP, and say when a ping they passed on was not answered. */
const TCP_PING_VERSION = 3;
const NACK_VERSION = 4;
/** Numbers of pings are 32 bits. */
const SEQUENCES = 2 ** 32;

interface Expected {
  onAck: () => void;
  onNack: () => void;
}

export interface ProberOptions {
  self: Source;
  members: Members;
  awareness: Awareness;
  timers: Timers;
  courier: Courier;
  outbox: Outbox;
  /** A member did not answer, in no way. */
  onSilent: (claim: Suspect) => void;
}

/** Looks after one member at a time, and pings others for those who ask. */
export class Prober {
  readonly #options: ProberOptions;
  readonly #expected = new Map<number, Expected>();
  #sequence = 0;
  #isBusy = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Begins with the next member, unless the last one is still waited for. */
  probeNext(): void {
    const { self, members, timers } = this.#options;
    if (this.#isBusy) return;
    const isWanted = (member: Member) => member.node !== self.name && !isGone(member);
    const member = members.next(timers.nowMs, isWanted);
    if (member) this.#probe(member);
  }

  onPing({ sequence, node, source }: Ping, from: Address): void {
    if (node !== this.#options.self.name) return;
    this.#options.courier.send(source ?? from, { kind: 'ack', sequence });
  }

  onAck(sequence: number): void {
    const expected = this.#expected.get(sequence);
    this.#expected.delete(sequence);
    expected?.onAck();
  }

  onNack(sequence: number): void {
    this.#expected.get(sequence)?.onNack();
  }

  /** Pings for another one, and says what came of it. */
  onIndirectPing({ sequence, target, node, wantsNack, source }: IndirectPing, from: Address): void {
    const { courier, timers, self } = this.#options;
    if (this.#expected.size >= RELAYED_PROBES_MAX) return;
    const asker = source ?? from;
    const own = this.#nextSequence();
    const cancel = timers.after(PROBE_TIMEOUT_MS, () => {
      this.#expected.delete(own);
      if (wantsNack) courier.send(asker, { kind: 'nack', sequence });
    });
    const onAck = () => {
      cancel();
      courier.send(asker, { kind: 'ack', sequence });
    };
    this.#expected.set(own, { onAck, onNack: () => {} });
    courier.send(target, { kind: 'ping', sequence: own, node, source: self });
  }

  #probe(member: Member): void {
    const { awareness, courier, timers } = this.#options;
    this.#isBusy = true;
    const probe = new Probe(this.#options, member, this.#nextSequence());
    const indirectly = timers.after(PROBE_TIMEOUT_MS, () => probe.tryOtherWays());
    const limitMs = awareness.scale(PROBE_INTERVAL_MS);
    const cancels: Cancel[] = [indirectly, timers.after(limitMs, () => end(false))];
    const end = (isAnswered: boolean) => {
      for (const cancel of cancels) cancel();
      this.#expected.delete(probe.sequence);
      this.#isBusy = false;
      probe.conclude(isAnswered);
    };
    const onNack = () => {
      probe.nacks++;
    };
    this.#expected.set(probe.sequence, { onAck: () => end(true), onNack });
    const { incarnation, node, address, state } = member;
    const { self } = this.#options;
    const ping: Ping = { kind: 'ping', sequence: probe.sequence, node, source: self };
    const suspect: Suspect = { kind: 'suspect', incarnation, node, from: self.name };
    // Whoever is suspected hears of it at once, and can contradict.
    courier.send(address, ping, ...(state === NodeState.ALIVE ? [] : [suspect]));
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) % SEQUENCES;
    return this.#sequence;
  }
}

/** Of one member, from the first ping to the verdict. */
class Probe {
  readonly #options: ProberOptions;
  readonly #member: Member;
  readonly sequence: number;
  nacks = 0;
  #nacksWanted = 0;
  #answersTcp = false;

  constructor(options: ProberOptions, member: Member, sequence: number) {
    this.#options = options;
    this.#member = member;
    this.sequence = sequence;
  }

  /** Over others, and over TCP. */
  tryOtherWays(): void {
    const { self, members, courier } = this.#options;
    const { node, address: target } = this.#member;
    const isHelpful = (other: Member) =>
      other.node !== self.name && other.node !== node && other.state === NodeState.ALIVE;
    for (const helper of members.pick(INDIRECT_PROBES, isHelpful)) {
      const wantsNack = versionMax(helper) >= NACK_VERSION;
      if (wantsNack) this.#nacksWanted++;
      const { sequence } = this;
      const ping = { kind: 'indirect-ping', sequence, target, node, wantsNack } as const;
      courier.send(helper.address, { ...ping, source: self });
    }
    if (versionMax(this.#member) >= TCP_PING_VERSION) this.#pingOverTcp();
  }

  #pingOverTcp(): void {
    const { outbox, self, awareness } = this.#options;
    const { node, address: to } = this.#member;
    const { sequence } = this;
    const message: Ping = { kind: 'ping', sequence, node, source: self };
    const timeoutMs = awareness.scale(PROBE_INTERVAL_MS) - PROBE_TIMEOUT_MS;
    outbox.exchange({ to, message, wantsAnswer: true, timeoutMs }, (outcome) => {
      if (!outcome.isDone || outcome.answer?.kind !== 'ack') return;
      this.#answersTcp = outcome.answer.sequence === sequence;
    });
  }

  /** An answer over TCP counts only now: packets had their chance, which is what others have to go by. */
  conclude(isAnswered: boolean): void {
    const { awareness, self, onSilent } = this.#options;
    if (isAnswered || this.#answersTcp) {
      awareness.change(-1);
      return;
    }
    // Helpers that do not even say that they failed: then it is rather this node that is not well.
    awareness.change(this.#nacksWanted > 0 ? Math.max(0, this.#nacksWanted - this.nacks) : 1);
    const { incarnation, node } = this.#member;
    onSilent({ kind: 'suspect', incarnation, node, from: self.name });
  }
}
