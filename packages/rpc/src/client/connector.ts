import type { Clock, Random, RpcError } from '@skep/platform';
import { canceled } from '../errors.js';
import { Backoff } from './backoff.js';
import type { Connection } from './connection.js';

export interface ConnectorOptions<C extends Connection> {
  clock: Clock;
  random: Random;
  /** Connects, with the identity of now. Rejects with UNAVAILABLE. */
  open(onUnusable: () => void): Promise<C>;
  /** A connection came up, or was lost (not: given up from this side). */
  onConnection(isUp: boolean): void;
}

/**
 * The one connection of a channel: opened when it is needed, again after it broke. While the other
 * side cannot be reached, calls fail at once until the pause after the last failure is over.
 */
export class Connector<C extends Connection> {
  readonly #options: ConnectorOptions<C>;
  readonly #backoff: Backoff;
  #current: C | undefined;
  #opening: Promise<C> | undefined;
  #failure: { error: RpcError; untilMs: number } | undefined;
  #generation = 0;
  /** What was told last. */
  #isUp = false;
  #isClosed = false;

  constructor(options: ConnectorOptions<C>) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
  }

  /** The connection, when there is one that takes calls. */
  get ready(): C | undefined {
    return this.#current?.isUsable ? this.#current : undefined;
  }

  /** A connection that takes calls. Rejects with UNAVAILABLE. */
  connection(): Promise<C> {
    if (this.#isClosed) return Promise.reject(canceled());
    if (this.ready) return Promise.resolve(this.ready);
    if (this.#opening) return this.#opening;
    const { clock } = this.#options;
    if (this.#failure && clock.monotonic() < this.#failure.untilMs) {
      return Promise.reject(this.#failure.error);
    }
    const opening = this.#open(this.#generation);
    this.#opening = opening;
    return opening;
  }

  /** New calls go over a new connection; those under way finish on the old one. */
  renew(): void {
    this.#generation++;
    this.#opening = undefined;
    this.#failure = undefined;
    this.#backoff.reset();
    const former = this.#current;
    this.#current = undefined;
    former?.drain();
  }

  /** Ends all calls. */
  close(): void {
    this.#isClosed = true;
    this.#generation++;
    this.#current?.destroy();
  }

  async #open(generation: number): Promise<C> {
    try {
      const connection = await this.#options.open(() => this.#look());
      if (this.#isClosed) {
        connection.destroy();
        throw canceled();
      }
      if (generation !== this.#generation) {
        // Made with an identity that has changed meanwhile.
        connection.drain();
        return await this.connection();
      }
      this.#current = connection;
      this.#failure = undefined;
      this.#backoff.reset();
      this.#tell(connection.isUsable);
      return connection;
    } catch (error) {
      if (generation === this.#generation) this.#failed(error as RpcError);
      throw error;
    } finally {
      if (generation === this.#generation) this.#opening = undefined;
    }
  }

  #failed(error: RpcError): void {
    const untilMs = this.#options.clock.monotonic() + this.#backoff.afterFailureMs();
    this.#failure = { error, untilMs };
    this.#tell(false);
  }

  /** Whether the connection is usable may have changed. While one is renewed there is none. */
  #look(): void {
    if (this.#current) this.#tell(this.#current.isUsable);
  }

  #tell(isUp: boolean): void {
    if (isUp === this.#isUp || this.#isClosed) return;
    this.#isUp = isUp;
    this.#options.onConnection(isUp);
  }
}
