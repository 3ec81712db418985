import { parseUnlockKey } from '@skep/ca';
import { type Cancel, Code, errorMessage, RpcError } from '@skep/platform';
import { IdentityError } from '../identity/index.js';
import { JOIN_RETRY_MS, READY_WAIT_MS, RESUME_RETRY_MS } from '../limits.js';
import { beginJoining, foundSwarm, joinSwarm, openParts, type Parts } from '../node/enter.js';
import { type MemberOptions, SwarmMember } from '../node/member.js';
import type { FoundRequest, JoinRequest } from '../node/requests.js';
import { untilAborted } from '../node/waiting.js';
import { type Joining, type SwarmState, SwarmStateFile } from '../state/state-file.js';

/** How a node stands to swarms. */
export type MembershipState =
  /** In none. */
  | 'inactive'
  /** It joins one, or takes up its part in it. */
  | 'pending'
  | 'active'
  /** Its keys cannot be read without the swarm's unlock key. */
  | 'locked'
  /** It cannot take part, and {@link Membership.error} says why. */
  | 'error';

/** A node's place in a swarm: from joining or founding one, over restarts, until it leaves. */
export class Membership {
  readonly #options: MemberOptions;
  readonly #file: SwarmStateFile;
  readonly #listeners = new Set<() => void>();
  #member: SwarmMember | undefined;
  #locked: Parts | undefined;
  #isBusy = false;
  #wasReady = false;
  #error = '';
  #joining: { abort: AbortController; done: Promise<void> } | undefined;
  #forget: Cancel = () => {};
  #cancelRetry: Cancel = () => {};
  #takingUp: Promise<void> = Promise.resolve();

  constructor(options: MemberOptions) {
    this.#options = options;
    this.#file = new SwarmStateFile(options.disk, options.directory);
  }

  get state(): MembershipState {
    if (this.#locked) return 'locked';
    if (this.#member) {
      if (this.#member.problem !== undefined) return 'error';
      return this.#wasReady ? 'active' : 'pending';
    }
    if (this.#joining || this.#isBusy) return 'pending';
    return this.#error ? 'error' : 'inactive';
  }

  /** What is wrong, or what keeps an attempt to join from succeeding; empty when nothing is. */
  get error(): string {
    return this.#member?.problem ?? this.#error;
  }

  /** The node at work in its swarm; undefined before it has an identity there, and outside any. */
  get member(): SwarmMember | undefined {
    return this.#member;
  }

  /** Takes up the membership of the last run, if any. What prevents it is told by {@link error}. */
  async restore(): Promise<void> {
    const state = await this.#file.read();
    if (!state) return;
    await this.#busy(() => this.#takeUp(state));
    await this.#readyWithin(READY_WAIT_MS);
  }

  /** Tried again until it works or the node leaves: a full disk, for one, may have room later. */
  async #takeUp(state: SwarmState): Promise<void> {
    try {
      if (state.joining) this.#joinInBackground({ ...state, joining: state.joining });
      else await this.#resume(await openParts(this.#options, state));
    } catch (error) {
      const { log, clock } = this.#options;
      log.error({ error: errorMessage(error) }, 'cannot take up the swarm');
      this.#error = errorMessage(error);
      this.#cancelRetry = clock.after(RESUME_RETRY_MS, () => {
        this.#takingUp = this.#takeUp(state);
      });
    }
    this.#changed();
  }

  async #endTakingUp(): Promise<void> {
    this.#cancelRetry();
    await this.#takingUp;
    this.#cancelRetry();
  }

  /** Founds a swarm of one; resolves when its manager answers. */
  async found(request: FoundRequest): Promise<void> {
    await this.#busy(async () => this.#take(await foundSwarm(this.#options, request)));
  }

  /** Goes on as the only manager of the swarm this node is a manager of (force-new-cluster). */
  async foundAnew(
    request: Pick<FoundRequest, 'listenAddress' | 'advertiseAddress'>,
  ): Promise<void> {
    const before = await this.#file.read();
    if (!before || !this.#member) throw new RpcError(Code.FAILED_PRECONDITION, 'not in a swarm');
    await this.#busy(async () => {
      await this.#letGo();
      const { listenAddress, advertiseAddress } = request;
      const state = { ...before, listenAddress, advertiseAddress };
      await this.#file.write(state);
      const parts = await openParts(this.#options, state);
      const first = { entry: { kind: 'force-new-cluster' } } as const;
      this.#take(await SwarmMember.start(this.#options, parts, first));
    });
    await this.#readyWithin(READY_WAIT_MS);
  }

  /**
   * Joins a swarm. Rejects when its managers refuse this node, which is then in no swarm. Where they cannot be
   * reached the attempt goes on until it succeeds or {@link leave} ends it; `signal` ends only the waiting.
   */
  async join(request: JoinRequest, signal: AbortSignal): Promise<void> {
    await this.#busy(() => beginJoining(this.#options, request));
    const state = await this.#file.read();
    if (!state?.joining) throw leftMeanwhile();
    this.#error = '';
    const joining = this.#joinInBackground({ ...state, joining: state.joining });
    const onChange = (look: () => void) => this.onChange(look);
    await untilAborted(signal, onChange, () => this.#wasReady || this.state === 'inactive');
    if (this.state !== 'inactive') return;
    await joining;
    throw leftMeanwhile();
  }

  /** Ends the membership, whatever state it is in, and leaves nothing of it. */
  async leave(): Promise<void> {
    await this.#endTakingUp();
    await this.#endJoining();
    await this.#busy(async () => {
      const member = this.#member;
      this.#forget();
      this.#member = undefined;
      this.#locked = undefined;
      await member?.leave();
      await this.#file.remove();
      this.#error = '';
      this.#wasReady = false;
    });
  }

  /** Lets go of everything; containers go on, and so does the membership at the next start. */
  async stop(): Promise<void> {
    await this.#endTakingUp();
    await this.#endJoining();
    await this.#letGo();
  }

  /** `key` as people type it. False when it does not fit. */
  async unlock(key: string): Promise<boolean> {
    const parts = this.#locked;
    if (!parts) throw new RpcError(Code.FAILED_PRECONDITION, 'swarm is not locked');
    let bytes: Uint8Array;
    try {
      bytes = parseUnlockKey(key);
    } catch {
      return false;
    }
    if (!(await parts.identity.unlock(bytes))) return false;
    await this.#busy(async () => {
      this.#locked = undefined;
      await this.#resume(parts);
    });
    return true;
  }

  /** Calls `listener` when anything told here may have changed. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async #resume(parts: Parts): Promise<void> {
    if (parts.identity.state === 'locked') this.#locked = parts;
    else if (parts.identity.state === 'ready')
      this.#take(await SwarmMember.start(this.#options, parts));
    else throw new Error('the certificate of this node is missing');
  }

  #take(member: SwarmMember): void {
    this.#member = member;
    this.#error = '';
    this.#forget = member.onChange(() => this.#look());
    this.#look();
  }

  #look(): void {
    if (this.#member?.isReady) this.#wasReady = true;
    this.#changed();
  }

  async #letGo(): Promise<void> {
    const member = this.#member;
    this.#forget();
    this.#member = undefined;
    await member?.stop();
    this.#wasReady = false;
    this.#changed();
  }

  #joinInBackground(state: SwarmState & { joining: Joining }): Promise<void> {
    const abort = new AbortController();
    const done = this.#keepJoining(state, abort.signal).finally(() => {
      this.#joining = undefined;
      this.#changed();
    });
    this.#joining = { abort, done };
    done.catch(() => {}); // whoever waits hears of it; after a restart nobody does, and `error` tells
    this.#changed();
    return done;
  }

  async #keepJoining(state: SwarmState & { joining: Joining }, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        this.#take(await joinSwarm(this.#options, state, signal));
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#error = errorMessage(error);
        if (!isWorthAnother(error)) {
          await this.#file.remove();
          this.#error = '';
          throw error;
        }
        this.#options.log.warn({ error: this.#error }, 'cannot join the swarm yet');
        this.#changed();
        await this.#options.clock.sleep(JOIN_RETRY_MS, signal).catch(() => {});
        if (signal.aborted) return;
      }
    }
  }

  async #endJoining(): Promise<void> {
    this.#joining?.abort.abort(new RpcError(Code.CANCELED, 'the node gives up joining'));
    await this.#joining?.done.catch(() => {});
  }

  async #readyWithin(delayMs: number): Promise<void> {
    if (!this.#member) return;
    const late = new AbortController();
    const cancel = this.#options.clock.after(delayMs, () => late.abort());
    const onChange = (look: () => void) => this.onChange(look);
    const isSettled = () => this.#wasReady || this.state === 'error';
    await untilAborted(late.signal, onChange, isSettled).catch(() => {});
    cancel();
  }

  async #busy(work: () => Promise<void>): Promise<void> {
    this.#isBusy = true;
    this.#changed();
    try {
      await work();
    } finally {
      this.#isBusy = false;
      this.#changed();
    }
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function leftMeanwhile(): IdentityError {
  return new IdentityError(Code.CANCELED, 'the node left the swarm meanwhile');
}

/** Whether managers may yet be reached; a refusal stays one. */
function isWorthAnother(error: unknown): boolean {
  const codes = [Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.ABORTED];
  return error instanceof RpcError && codes.includes(error.code);
}
