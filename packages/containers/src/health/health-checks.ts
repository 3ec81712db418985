import { errorMessage } from '@skep/platform';
import type { Container } from '../engine/container.js';
import { type EngineContext, emitContainer, saveStatus } from '../engine/context.js';
import type { ExecManager } from '../exec/exec-manager.js';
import { HEALTH_OUTPUT_BYTES_MAX } from '../limits.js';
import { type ProbeSettings, probeCommand, probeSettings } from './config.js';
import { HealthMonitor } from './monitor.js';
import { initialHealth, type ProbeResult } from './progress.js';

/** Starts and feeds the health monitors of running containers. */
export class HealthChecks {
  readonly #context: EngineContext;
  readonly #execs: ExecManager;

  constructor(context: EngineContext, execs: ExecManager) {
    this.#context = context;
    this.#execs = execs;
  }

  /** `fresh`: the container was just started; otherwise its health goes on where it was. */
  watch(container: Container, fresh: boolean): void {
    const settings = probeSettings(container.record.config.Healthcheck);
    const { state } = container.status;
    if (!settings) {
      delete state.Health;
      return;
    }
    const health = fresh ? initialHealth() : (state.Health ?? initialHealth());
    state.Health = health;
    container.monitor?.stop();
    container.monitor = new HealthMonitor({
      settings,
      clock: this.#context.clock,
      health,
      startedAtMs: Date.parse(state.StartedAt),
      probe: (timeoutMs) => this.#probe(container, settings, timeoutMs),
      onHealth: (next, changed) => {
        state.Health = next;
        saveStatus(this.#context, container);
        if (changed) emitContainer(this.#context, container, `health_status: ${next.Status}`);
      },
    });
  }

  async #probe(
    container: Container,
    settings: ProbeSettings,
    timeoutMs: number,
  ): Promise<ProbeResult> {
    const { clock } = this.#context;
    const startMs = clock.now();
    const failed = (output: string): ProbeResult => ({
      startMs,
      endMs: clock.now(),
      exitCode: -1,
      output: Buffer.from(output),
    });
    try {
      const run = await this.#execs.runCaptured(
        container,
        { Cmd: probeCommand(settings) },
        { timeoutMs, outputBytes: HEALTH_OUTPUT_BYTES_MAX + 1 },
      );
      if (run.timedOut) {
        return failed(`Health check exceeded timeout (${timeoutMs / 1000}s): ${run.output}`);
      }
      return { startMs, endMs: clock.now(), exitCode: run.exitCode, output: run.output };
    } catch (error) {
      return failed(errorMessage(error));
    }
  }
}
