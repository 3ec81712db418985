import { HttpError } from './errors.js';

export type Query = Record<string, string | string[] | undefined>;

/** The last value of a query parameter. */
export function text(query: Query, name: string): string | undefined {
  const value = query[name];
  return Array.isArray(value) ? value.at(-1) : value;
}

/** Docker's truth: anything but absence, `0`, `no`, `false`, `none` and empty is true. */
export function flag(query: Query, name: string, fallback = false): boolean {
  const value = text(query, name);
  if (value === undefined) return fallback;
  return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
}

/** A whole number; 400 with Go's wording when it is none. */
export function integer(query: Query, name: string): number | undefined {
  const value = text(query, name);
  if (value === undefined || value === '') return undefined;
  if (!/^[+-]?\d+$/.test(value)) {
    throw new HttpError(400, `strconv.Atoi: parsing "${value}": invalid syntax`);
  }
  return Number(value);
}

/**
 * The `filters` parameter: `{"name":["a","b"]}`, or `{"name":{"a":true}}` of older clients.
 * With `allowed`, any other key is Docker's 400.
 */
export function filters(query: Query, allowed?: readonly string[]): Record<string, string[]> {
  const value = text(query, 'filters');
  if (!value) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw new HttpError(400, `invalid filter: ${value}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new HttpError(400, `invalid filter: ${value}`);
  }
  const result: Record<string, string[]> = {};
  for (const [key, values] of Object.entries(parsed)) {
    if (allowed && !allowed.includes(key)) throw new HttpError(400, `invalid filter '${key}'`);
    result[key] = filterValues(values);
  }
  return result;
}

function filterValues(values: unknown): string[] {
  if (Array.isArray(values)) return values.map(String);
  if (typeof values !== 'object' || values === null) return [String(values)];
  return Object.entries(values)
    .filter(([, on]) => on)
    .map(([name]) => name);
}

const NS_PER_S = 1_000_000_000n;

/**
 * An instant of `since` or `until`: `1700000000[.123456789]` seconds since the epoch, as the docker CLI sends
 * it, or RFC 3339. Nanoseconds since the epoch.
 */
export function instantNs(query: Query, name: string): bigint | undefined {
  const value = text(query, name);
  if (!value || value === '0') return undefined;
  const match = /^(-?\d+)(?:\.(\d{1,9}))?$/.exec(value);
  if (match) return BigInt(match[1] ?? 0) * NS_PER_S + BigInt((match[2] ?? '').padEnd(9, '0') || 0);
  const ms = Date.parse(value);
  if (Number.isNaN(ms))
    throw new HttpError(400, `failed to parse value as time or duration: "${value}"`);
  return BigInt(ms) * 1_000_000n;
}
