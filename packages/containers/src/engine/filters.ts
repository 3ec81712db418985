import { Code, RpcError } from '@skep/platform';
import { parseDurationMs } from '@skep/wire';
import type { Filters } from '../contract/engine.js';

/** Refuses a filter that the listing does not have, as Docker does. */
export function refuseUnknownFilters(filters: Filters, known: readonly string[]): void {
  for (const name of Object.keys(filters)) {
    if (!known.includes(name)) throw invalidFilter(name);
  }
}

export function invalidFilter(name: string, value?: string): RpcError {
  const what = value === undefined ? name : `${name}=${value}`;
  return new RpcError(Code.INVALID_ARGUMENT, `invalid filter '${what}'`);
}

/** Whether all of the wanted `key` or `key=value` are among the labels. */
export function matchLabels(labels: Record<string, string>, wanted: readonly string[]): boolean {
  return wanted.every((item) => {
    const separator = item.indexOf('=');
    if (separator < 0) return item in labels;
    return labels[item.slice(0, separator)] === item.slice(separator + 1);
  });
}

/** Docker's booleans in filters. */
export function booleanFilter(name: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalidFilter(name, `[${value}]`);
}

/**
 * An `until` filter: an RFC 3339 time, seconds since the epoch, or a Go duration before now. Ms.
 */
export function untilMs(text: string, nowMs: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const backMs = parseDurationMs(text);
  if (backMs !== undefined && backMs >= 0) return nowMs - backMs;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw invalidFilter('until', text);
  return time;
}
