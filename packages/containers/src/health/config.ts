import type { HealthConfig } from '../contract/config.js';

/** A probe's settings, all filled in; times in ms. */
export interface ProbeSettings {
  /** `CMD` and its arguments, or `CMD-SHELL` and a line. */
  test: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
}

const NANOS_PER_MS = 1e6;
const INTERVAL_MS_DEFAULT = 30_000;
const TIMEOUT_MS_DEFAULT = 30_000;
const START_INTERVAL_MS_DEFAULT = 5_000;
const RETRIES_DEFAULT = 3;

/** The settings of a container, or undefined when nothing is to be probed. */
export function probeSettings(config: HealthConfig | undefined): ProbeSettings | undefined {
  const test = config?.Test ?? [];
  if (!config || (test[0] !== 'CMD' && test[0] !== 'CMD-SHELL')) return undefined;
  const ms = (nanos: number | undefined, fallbackMs: number) =>
    nanos ? nanos / NANOS_PER_MS : fallbackMs;
  return {
    test,
    intervalMs: ms(config.Interval, INTERVAL_MS_DEFAULT),
    timeoutMs: ms(config.Timeout, TIMEOUT_MS_DEFAULT),
    startPeriodMs: ms(config.StartPeriod, 0),
    startIntervalMs: ms(config.StartInterval, START_INTERVAL_MS_DEFAULT),
    retries: config.Retries || RETRIES_DEFAULT,
  };
}

/** What the probe runs, with the image's shell (`SHELL` of a Dockerfile) or `/bin/sh -c`. */
export function probeCommand(settings: ProbeSettings, shell: readonly string[] = []): string[] {
  const [kind, ...rest] = settings.test;
  if (kind === 'CMD') return rest;
  return [...(shell.length > 0 ? shell : ['/bin/sh', '-c']), ...rest];
}

/** Settings of the image, overridden field by field by those of the request. */
export function mergeHealth(
  image: HealthConfig | undefined,
  request: HealthConfig | undefined,
): HealthConfig | undefined {
  if (!image || !request) return request ?? image;
  return {
    ...image,
    ...Object.fromEntries(
      Object.entries(request).filter(([, value]) => (Array.isArray(value) ? value.length : value)),
    ),
  };
}
