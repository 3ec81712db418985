import { errorMessage, type Logger } from '@skep/platform';
import type { RaftMember } from '@skep/raft';
import type { LeaderRooms } from './leader-rooms.js';

export interface LeadershipOptions {
  raft: RaftMember;
  log: Logger;
  /** Makes the rooms of a new time of leading. */
  rooms(): LeaderRooms;
  /** Done first each time; a rejection is logged, and the rooms start all the same. */
  prepare(): Promise<void>;
  onChange(): void;
}

/** Starts the leader's rooms when this manager begins to lead, and stops them when it ends, one after the other. */
export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #unsubscribe: () => void;
  #leads = false;
  #rooms: LeaderRooms | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#unsubscribe = options.raft.onLeadership((leads) => this.#changed(leads));
  }

  /** The rooms at work; undefined while this manager does not lead, or just begins to. */
  get rooms(): LeaderRooms | undefined {
    return this.#leads ? this.#rooms : undefined;
  }

  /** Ends leading, as far as the rooms are concerned. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#changed(false);
    await this.#turn;
  }

  #changed(leads: boolean): void {
    this.#leads = leads;
    this.#turn = this.#turn.then(() => this.#follow());
    this.#options.onChange();
  }

  /** Brings the rooms in line with what is the case by now. */
  async #follow(): Promise<void> {
    const rooms = this.#rooms;
    this.#rooms = undefined;
    // A new time of leading never goes on with the rooms of the one before.
    await rooms?.stop();
    if (!this.#leads) return;
    try {
      await this.#options.prepare();
    } catch (error) {
      const fields = { error: errorMessage(error) };
      this.#options.log.warn(fields, 'could not prepare to lead');
    }
    if (!this.#leads) return;
    const fresh = this.#options.rooms();
    fresh.start();
    this.#rooms = fresh;
    this.#options.log.info({}, 'this manager leads the swarm');
    this.#options.onChange();
  }
}
