import type { Cancel, Clock } from '@skep/platform';
import type { Health } from '../contract/state.js';
import type { ProbeSettings } from './config.js';
import { afterProbe, type ProbeResult, probeDelayMs } from './progress.js';

export interface HealthMonitorOptions {
  settings: ProbeSettings;
  clock: Clock;
  /** Health so far: a new one, or that of before a restart of the daemon. */
  health: Health;
  /** When the container was started, ms since the epoch. */
  startedAtMs: number;
  /** Runs the probe once, within the time; never rejects. */
  probe: (timeoutMs: number) => Promise<ProbeResult>;
  /** After each probe; `changed` when the status is another one. */
  onHealth: (health: Health, changed: boolean) => void;
}

/** Probes one running container until it is stopped. */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  #health: Health;
  #cancel: Cancel = () => {};
  #stopped = false;

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    this.#health = options.health;
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  get #runMs(): number {
    return this.#options.clock.now() - this.#options.startedAtMs;
  }

  #schedule(): void {
    const delayMs = probeDelayMs(this.#options.settings, this.#health, this.#runMs);
    this.#cancel = this.#options.clock.after(delayMs, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    const { settings, probe, onHealth } = this.#options;
    const runMs = this.#runMs;
    const result = await probe(settings.timeoutMs);
    if (this.#stopped) return;
    const before = this.#health.Status;
    this.#health = afterProbe(settings, this.#health, result, runMs);
    onHealth(this.#health, this.#health.Status !== before);
    // A listener may have stopped the container, and this with it.
    if (!this.#stopped) this.#schedule();
  }
}
