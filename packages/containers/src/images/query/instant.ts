import { Code, RpcError } from '@skep/platform';
import { parseDurationMs } from '@skep/wire';

const UNIX_SECONDS = /^\d+(?:\.\d{1,9})?$/;
const MS_PER_S = 1_000;

/**
 * An instant as Docker's filters take it: a Go duration back from now (`10m`, `1h30m`), Unix
 * seconds, or a date. Ms since the epoch; rejects INVALID_ARGUMENT.
 */
export function parseInstantMs(text: string, nowMs: number): number {
  if (UNIX_SECONDS.test(text)) return Number(text) * MS_PER_S;
  const backMs = parseDurationMs(text);
  if (backMs !== undefined && backMs >= 0) return nowMs - backMs;
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  const message = `failed to parse value as time or duration: "${text}"`;
  throw new RpcError(Code.INVALID_ARGUMENT, message);
}
