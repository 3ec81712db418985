import { type Cancel, type Clock, sleepOn } from '@skep/platform';
import type { Timeline } from './timeline.js';

/** 2026-01-01T00:00:00Z: a fixed start, so that simulated timestamps look like timestamps. */
const START_MS = 1_767_225_600_000;
const NANOSECOND_MS = 1e-6;

/**
 * How a machine stands still. `frozen`: a virtual machine that is suspended, whose clocks stand still with it.
 * `stopped`: a process that gets no time (SIGSTOP, a long collection of garbage) while its clocks go on.
 */
export type PauseKind = 'frozen' | 'stopped';

export interface MachineClockOptions {
  timeline: Timeline;
  /** How much faster than the world's this clock goes, in parts of 1: 0.01 is 1 % fast. 0 unless given. */
  drift?: number;
  /** How far the wall clock is from the world's, ms. 0 unless given. */
  wallOffsetMs?: number;
}

interface Timer {
  /** On this clock's own scale. */
  dueMs: number;
  order: number;
  fn: () => void;
  disarm: Cancel;
}

/**
 * The clock of one machine from its start to its end. It drifts, stands still and dies alone; nothing that
 * waited on it runs after {@link MachineClock.kill}, as nothing of a program runs after its end.
 */
export class MachineClock implements Clock {
  readonly #timeline: Timeline;
  readonly #rate: number;
  readonly #timers = new Set<Timer>();
  #held: (() => void)[] = [];
  #wallOffsetMs: number;
  #localMs = 0;
  #localAtMs: number;
  #order = 0;
  #pause: PauseKind | undefined;
  #isDead = false;
  #wasActive = false;

  constructor(options: MachineClockOptions) {
    this.#timeline = options.timeline;
    this.#rate = 1 + (options.drift ?? 0);
    this.#wallOffsetMs = START_MS + options.timeline.nowMs + (options.wallOffsetMs ?? 0);
    this.#localAtMs = options.timeline.nowMs;
  }

  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Whether anything ran on this machine since this was asked last. */
  takeActivity(): boolean {
    const wasActive = this.#wasActive;
    this.#wasActive = false;
    return wasActive;
  }

  now(): number {
    return Math.floor(this.#wallOffsetMs + this.monotonic());
  }

  monotonic(): number {
    if (this.#pause === 'frozen') return this.#localMs;
    return this.#localMs + (this.#timeline.nowMs - this.#localAtMs) * this.#rate;
  }

  after(delayMs: number, fn: () => void): Cancel {
    if (this.#isDead) return () => {};
    // Less would not move the world's time, and whoever waits for the rest would wait for ever.
    const leastMs = delayMs > 0 ? NANOSECOND_MS : 0;
    const dueMs = this.monotonic() + Math.max(leastMs, delayMs);
    const timer: Timer = { dueMs, order: this.#order++, fn, disarm: () => {} };
    this.#timers.add(timer);
    if (!this.#pause) this.#arm(timer);
    return () => {
      timer.disarm();
      this.#timers.delete(timer);
    };
  }

  soon(fn: () => void): void {
    void Promise.resolve().then(() => this.#isDead || fn());
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  /** Moves the wall clock by `byMs`, as an administrator or a time server does. */
  jump(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  pause(kind: PauseKind): void {
    if (this.#isDead || this.#pause) return;
    if (kind === 'frozen') this.#rebase();
    this.#pause = kind;
    for (const timer of this.#timers) timer.disarm();
  }

  resume(): void {
    if (!this.#pause) return;
    if (this.#pause === 'frozen') this.#localAtMs = this.#timeline.nowMs;
    this.#pause = undefined;
    const timers = [...this.#timers].sort((a, b) => a.dueMs - b.dueMs || a.order - b.order);
    for (const timer of timers) this.#arm(timer);
    const held = this.#held;
    this.#held = [];
    for (const fn of held) this.#timeline.after(0, () => this.whenAwake(fn));
  }

  /** Runs `fn` now, after the pause where there is one, or never when this machine is dead. */
  whenAwake(fn: () => void): void {
    if (this.#isDead) return;
    if (this.#pause) {
      this.#held.push(fn);
      return;
    }
    this.#wasActive = true;
    fn();
  }

  /** The end: no timer ever fires again. */
  kill(): void {
    this.#isDead = true;
    for (const timer of this.#timers) timer.disarm();
    this.#timers.clear();
    this.#held = [];
  }

  #rebase(): void {
    this.#localMs = this.monotonic();
    this.#localAtMs = this.#timeline.nowMs;
  }

  #arm(timer: Timer): void {
    const delayMs = Math.max(0, (timer.dueMs - this.monotonic()) / this.#rate);
    timer.disarm = this.#timeline.after(delayMs, () => {
      this.#timers.delete(timer);
      this.#wasActive = true;
      timer.fn();
    });
  }
}
