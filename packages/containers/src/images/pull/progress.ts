import type { Clock } from '@skep/platform';
import type { ProgressMessage } from '../../contract/engine.js';
import { PROGRESS_INTERVAL_MS } from '../limits.js';

const BAR_WIDTH = 50;
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
const UNIT_STEP = 1_000;
const SIGNIFICANT_DIGITS = 4;
const NUMBER_WIDTH = 8;

/** Bytes as Docker writes them: four significant digits, powers of 1,000. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= UNIT_STEP && unit < UNITS.length - 1) {
    value /= UNIT_STEP;
    unit++;
  }
  return `${Number(value.toPrecision(SIGNIFICANT_DIGITS))}${UNITS[unit]}`;
}

/** The bar of old clients: `[=====>      ]  1.2MB/3MB`. */
export function progressText(current: number, total: number): string {
  if (current <= 0 && total <= 0) return '';
  const size = humanSize(current).padStart(NUMBER_WIDTH);
  if (total <= 0) return size;
  const done = Math.min(BAR_WIDTH, Math.floor(((current / total) * 100) / 2));
  const bar = `[${'='.repeat(done)}>${' '.repeat(BAR_WIDTH - done)}]`;
  return current > total ? `${bar} ${size}` : `${bar} ${size}/${humanSize(total)}`;
}

/** A message with an amount done. */
export function tick(status: string, id: string, current: number, total: number): ProgressMessage {
  const progress = progressText(current, total);
  return { status, id, progressDetail: { current, total }, ...(progress && { progress }) };
}

/** A message about a layer's state. */
export function state(status: string, id: string): ProgressMessage {
  return { status, progressDetail: {}, id };
}

/** Lets a tick through at most once an interval. */
export class Throttle {
  readonly #clock: Clock;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  due(): boolean {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#lastMs < PROGRESS_INTERVAL_MS) return false;
    this.#lastMs = nowMs;
    return true;
  }
}
