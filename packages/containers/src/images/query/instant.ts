import { Code, RpcError } from '@skep/platform';

const UNIT_MS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g;
const UNIX_SECONDS = /^\d+(?:\.\d{1,9})?$/;
const MS_PER_S = 1_000;

/**
 * An instant as Docker's filters take it: a Go duration back from now (`10m`, `1h30m`), Unix
 * seconds, or a date. Ms since the epoch; rejects INVALID_ARGUMENT.
 */
export function parseInstantMs(text: string, nowMs: number): number {
  if (DURATION.test(text)) {
    let backMs = 0;
    for (const [, amount, unit] of text.matchAll(DURATION_PART)) {
      backMs += Number(amount) * (UNIT_MS[unit as string] as number);
    }
    return nowMs - backMs;
  }
  if (UNIX_SECONDS.test(text)) return Number(text) * MS_PER_S;
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  const message = `failed to parse value as time or duration: "${text}"`;
  throw new RpcError(Code.INVALID_ARGUMENT, message);
}
