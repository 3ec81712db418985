import type { Health } from '../contract/state.js';
import { HEALTH_LOG_ENTRIES_MAX, HEALTH_OUTPUT_BYTES_MAX } from '../limits.js';
import { isoTime } from '../records/record.js';
import type { ProbeSettings } from './config.js';

export interface ProbeResult {
  startMs: number;
  endMs: number;
  /** -1 for a probe that could not run or took too long. */
  exitCode: number;
  output: Uint8Array;
}

export function initialHealth(): Health {
  return { Status: 'starting', FailingStreak: 0, Log: [] };
}

/** Whether failures do not count yet: until the start period is over or a probe succeeded. */
function inStartPeriod(settings: ProbeSettings, health: Health, runMs: number): boolean {
  return health.Status === 'starting' && runMs < settings.startPeriodMs;
}

/** Wait before the next probe of a container that has run for `runMs`. */
export function probeDelayMs(settings: ProbeSettings, health: Health, runMs: number): number {
  return inStartPeriod(settings, health, runMs) ? settings.startIntervalMs : settings.intervalMs;
}

/** Health after a probe. `runMs`: how long the container had run when the probe began. */
export function afterProbe(
  settings: ProbeSettings,
  health: Health,
  result: ProbeResult,
  runMs: number,
): Health {
  const entry = {
    Start: isoTime(result.startMs),
    End: isoTime(result.endMs),
    ExitCode: result.exitCode,
    Output: outputText(result.output),
  };
  const Log = [...health.Log, entry].slice(-HEALTH_LOG_ENTRIES_MAX);
  if (result.exitCode === 0) return { Status: 'healthy', FailingStreak: 0, Log };
  if (inStartPeriod(settings, health, runMs)) return { ...health, Log };
  const FailingStreak = health.FailingStreak + 1;
  const Status = FailingStreak >= settings.retries ? 'unhealthy' : health.Status;
  return { Status, FailingStreak, Log };
}

function outputText(output: Uint8Array): string {
  const cut = output.length > HEALTH_OUTPUT_BYTES_MAX;
  const text = Buffer.from(output.subarray(0, HEALTH_OUTPUT_BYTES_MAX)).toString('utf8');
  return cut ? `${text}...` : text;
}
