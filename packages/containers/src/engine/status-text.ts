import type { ContainerState } from '../contract/state.js';
import { ZERO_TIME } from '../records/record.js';

/** The `STATUS` column of `docker ps`. */
export function statusText(state: ContainerState, nowMs: number): string {
  const since = (time: string) => humanDuration(nowMs - Date.parse(time));
  if (state.Running) {
    if (state.Restarting) {
      return `Restarting (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
    }
    const up = `Up ${since(state.StartedAt)}`;
    if (state.Paused) return `${up} (Paused)`;
    const health = state.Health?.Status;
    if (!health || health === 'none') return up;
    return `${up} (${health === 'starting' ? 'health: starting' : health})`;
  }
  if (state.Status === 'removing') return 'Removal In Progress';
  if (state.Dead) return 'Dead';
  if (state.Status === 'created' || state.FinishedAt === ZERO_TIME) return 'Created';
  return `Exited (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;

/** A duration in the coarse words of Docker's listings. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / SECOND_MS);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(ms / MINUTE_MS);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(ms / HOUR_MS);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  const wholeHours = Math.floor(ms / HOUR_MS);
  if (ms < 2 * WEEK_MS) return `${Math.floor(wholeHours / 24)} days`;
  if (wholeHours < 24 * 30 * 2) return `${Math.floor(wholeHours / 24 / 7)} weeks`;
  if (wholeHours < 24 * 365 * 2) return `${Math.floor(wholeHours / 24 / 30)} months`;
  return `${Math.floor(ms / (365 * DAY_MS))} years`;
}
