/** What the labels of a service ask of the network beside what Docker has fields for. */

/** `client`: a client stays with the task it got first. `none`, the default: each connection for itself. */
export const AFFINITY_LABEL = 'skep.affinity';
export const AFFINITIES = ['client', 'none'] as const;

/** How long connections of a task that stops may last on, before it is told to. A Go duration. */
export const DRAIN_LABEL = 'skep.drain';

type Labels = Readonly<Record<string, string>>;

/** Whether a client of the service stays with its task. */
export function clientAffinity(labels: Labels): boolean {
  return labels[AFFINITY_LABEL] === 'client';
}

/** What {@link DRAIN_LABEL} says, in milliseconds; undefined where it says nothing that can be understood. */
export function drainMs(labels: Labels): number | undefined {
  const text = labels[DRAIN_LABEL];
  return text === undefined ? undefined : parseDurationMs(text);
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
// Escaped, since esbuild leaves these be in a regular expression: see scripts/bundle.mjs.
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g;
const WHOLE = /^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/;

/** Milliseconds of a duration as Go writes it (`1m30s`, `500ms`, `0`); undefined for anything else. */
export function parseDurationMs(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  const amount = text.replace(/^[+-]/, '');
  if (amount === '0') return 0;
  if (!WHOLE.test(amount)) return undefined;
  let sumMs = 0;
  for (const [, number = '', unit = ''] of amount.matchAll(PART)) {
    sumMs += Number(number) * (UNIT_MS[unit] ?? 0);
  }
  return sign * sumMs;
}
