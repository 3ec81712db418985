import type { SimRoutes } from './routes.js';
import { otherSide, type Segment, type Side } from './segment.js';

/** One end of a wire: a dialer's, or a listener's. */
export interface WireEnd {
  receive(segment: Segment): void;
}

interface Direction {
  from: string;
  to: string;
  /** When the last segment arrives, ms: none overtakes it. */
  lastArrivalMs: number;
  /** Segments on their way that wait for the way to open, and since when the first waits, ms. */
  held: Segment[];
  heldSinceMs: number;
  /** Whether one of them met a cut, and not only a host that stood still. */
  isCut: boolean;
}

/**
 * A TCP connection between two simulated hosts: what is sent arrives once, in order, after a delay;
 * where the way is blocked it waits, as if sent again and again. An end that is gone answers with a
 * reset.
 */
export class SimWire {
  readonly #routes: SimRoutes;
  readonly #ends: Partial<Record<Side, WireEnd>> = {};
  readonly #directions: Record<Side, Direction>;
  #isOver = false;

  constructor(routes: SimRoutes, client: string, server: string) {
    this.#routes = routes;
    const direction = (from: string, to: string): Direction => {
      return { from, to, lastArrivalMs: 0, held: [], heldSinceMs: 0, isCut: false };
    };
    this.#directions = { client: direction(client, server), server: direction(server, client) };
  }

  attach(side: Side, end: WireEnd): void {
    this.#ends[side] = end;
  }

  /** Whether the side's end is there. */
  has(side: Side): boolean {
    return this.#ends[side] !== undefined;
  }

  hostOf(side: Side): string {
    return this.#directions[side].from;
  }

  /** Sends as one side; nothing when that side's end is gone. */
  send(side: Side, segment: Segment): void {
    if (this.#isOver || !this.#ends[side]) return;
    this.#transmit(side, segment, this.#routes.delayMs(this.#directions[side]));
  }

  /** Ends the connection as one side: its end is gone, the other is told. */
  reset(side: Side, reason: string): void {
    this.send(side, { kind: 'reset', reason });
    this.vanish(side);
  }

  /** The side's end is gone and nobody is told: its machine lost power. */
  vanish(side: Side): void {
    delete this.#ends[side];
    this.#directions[side].held = [];
    if (!this.#ends.client && !this.#ends.server) this.#finish();
  }

  /** The way may have opened: what waits for it goes on, late, or the connection breaks. */
  release(): void {
    for (const side of ['client', 'server'] as const) {
      const direction = this.#directions[side];
      if (direction.held.length === 0 || this.#routes.isBlocked(direction)) continue;
      const segments = direction.held.splice(0);
      const { isCut, heldSinceMs } = direction;
      direction.isCut = false;
      const fate = isCut ? this.#routes.fateOfHeld(direction, heldSinceMs) : { delayMs: 0 };
      if (fate === 'reset') {
        this.#break();
        return;
      }
      for (const segment of segments) this.#transmit(side, segment, fate.delayMs);
    }
  }

  #transmit(side: Side, segment: Segment, delayMs: number): void {
    const direction = this.#directions[side];
    const { clock } = this.#routes;
    if (direction.held.length > 0 || this.#routes.isBlocked(direction)) {
      this.#hold(direction, segment);
      return;
    }
    const arrivalMs = Math.max(clock.monotonic() + delayMs, direction.lastArrivalMs);
    direction.lastArrivalMs = arrivalMs;
    clock.after(arrivalMs - clock.monotonic(), () => this.#arrive(side, segment));
  }

  #arrive(side: Side, segment: Segment): void {
    if (this.#isOver) return;
    const direction = this.#directions[side];
    if (direction.held.length > 0 || this.#routes.isBlocked(direction)) {
      this.#hold(direction, segment);
      return;
    }
    const end = this.#ends[otherSide(side)];
    if (end) {
      if (segment.kind === 'reset') this.vanish(otherSide(side));
      end.receive(segment);
    } else if (segment.kind !== 'reset') {
      this.#answerReset(side);
    }
  }

  /** The kernel of a host where nobody has the connection any more says so. */
  #answerReset(side: Side): void {
    const back = this.#directions[otherSide(side)];
    const segment: Segment = { kind: 'reset', reason: 'connection reset by peer' };
    this.#transmit(otherSide(side), segment, this.#routes.delayMs(back));
  }

  #hold(direction: Direction, segment: Segment): void {
    if (direction.held.length === 0) direction.heldSinceMs = this.#routes.clock.monotonic();
    direction.isCut ||= this.#routes.isCut(direction);
    direction.held.push(segment);
  }

  /** Both ends find the connection broken. */
  #break(): void {
    const ends = [this.#ends.client, this.#ends.server];
    this.#finish();
    for (const end of ends) end?.receive({ kind: 'reset', reason: 'connection reset by peer' });
  }

  #finish(): void {
    this.#isOver = true;
    delete this.#ends.client;
    delete this.#ends.server;
    this.#routes.forget(this);
  }
}
