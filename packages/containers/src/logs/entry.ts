import type { LogEntry } from '../contract/engine.js';

type Attributes = Record<string, string>;

const NANOS_PER_S = 1_000_000_000n;

/** Nanoseconds since the epoch as RFC 3339 with all nine digits. */
export function nanosToIso(ns: bigint): string {
  const whole = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
  return `${whole}.${(ns % NANOS_PER_S).toString().padStart(9, '0')}Z`;
}

/** The inverse of {@link nanosToIso}; undefined for what is no time. */
export function isoToNanos(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text);
  if (!match) return undefined;
  const ms = Date.parse(`${match[1]}Z`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/** One line of a json-file log, with its newline. `attributes` is their JSON, or empty for none. */
export function encodeEntry(
  line: Uint8Array,
  stream: 'stdout' | 'stderr',
  timeNs: bigint,
  attributes: string,
): string {
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8');
  const attrs = attributes === '' ? '' : `"attrs":${attributes},`;
  const time = nanosToIso(timeNs);
  return `{"log":${JSON.stringify(text)},"stream":"${stream}",${attrs}"time":"${time}"}\n`;
}

/**
 * Reads a line of a json-file log; undefined for one that is damaged (cut off by a full disk, say).
 */
export function decodeEntry(json: string): LogEntry | undefined {
  let parsed: { log?: unknown; stream?: unknown; time?: unknown; attrs?: Attributes };
  try {
    parsed = JSON.parse(json);
  } catch {
    return undefined;
  }
  const timeNs = typeof parsed.time === 'string' ? isoToNanos(parsed.time) : undefined;
  if (typeof parsed.log !== 'string' || timeNs === undefined) return undefined;
  return {
    stream: parsed.stream === 'stderr' ? 'stderr' : 'stdout',
    timeNs,
    line: Buffer.from(parsed.log),
    attributes: parsed.attrs ?? {},
  };
}
