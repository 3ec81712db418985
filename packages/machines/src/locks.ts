import { type Clock, Code, RpcError } from '@skep/platform';
import type { Locker } from './host/contract.js';
import type { Layout } from './layout.js';
import { LOCK_TIMEOUT_MS, POLL_MS } from './limits.js';

/** Guards records, addresses and the switch of a set; short work only. */
const SET = '.set';
/** Guards the choice of a subnet among all sets of this host. */
const HOST_LOCK = '/run/skep-machines.lock';

/** Keeps several `skep machine` from working on the same thing at a time. */
export class Locks {
  readonly #layout: Layout;
  readonly #locker: Locker;
  readonly #clock: Clock;

  constructor(deps: { layout: Layout; locker: Locker; clock: Clock }) {
    this.#layout = deps.layout;
    this.#locker = deps.locker;
    this.#clock = deps.clock;
  }

  /** For what takes long and concerns one machine. */
  machine<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#hold(this.#layout.lock(name), `machine "${name}"`, work);
  }

  set<T>(work: () => Promise<T>): Promise<T> {
    return this.#hold(this.#layout.lock(SET), `the machines in ${this.#layout.storage}`, work);
  }

  host<T>(work: () => Promise<T>): Promise<T> {
    return this.#hold(HOST_LOCK, 'the machines of this host', work);
  }

  async #hold<T>(path: string, subject: string, work: () => Promise<T>): Promise<T> {
    const giveUpAtMs = this.#clock.monotonic() + LOCK_TIMEOUT_MS;
    for (;;) {
      const lock = await this.#locker.tryLock(path);
      if (lock) {
        try {
          return await work();
        } finally {
          lock.release();
        }
      }
      if (this.#clock.monotonic() > giveUpAtMs) {
        const text = `another command works on ${subject} for ${LOCK_TIMEOUT_MS / 1_000} s`;
        throw new RpcError(Code.UNAVAILABLE, text);
      }
      await this.#clock.sleep(POLL_MS);
    }
  }
}
