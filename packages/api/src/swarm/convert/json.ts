import { invalid } from '../errors.js';

/** JSON objects as Docker writes them. */
export type Json = Record<string, unknown>;

/**
 * Drops what Go's `omitempty` drops: zero, false, the empty string, and lists and maps without entries.
 * Sub-objects that Docker holds by pointer must not pass through here: they are kept even when empty.
 */
export function omitEmpty(fields: Json): Json {
  const kept: Json = {};
  for (const name in fields) if (!isEmpty(fields[name])) kept[name] = fields[name];
  return kept;
}

function isEmpty(value: unknown): boolean {
  if (!value) return true;
  if (typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.length === 0;
  for (const _name in value) return false;
  return true;
}

/** A 64-bit count as a JSON number. */
export function toNumber(value: bigint): number {
  return Number(value);
}

/** `[]byte` in Docker's JSON. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

type NumericEnum = Record<string, string | number>;

/** The lower-case name of an enum's value, which is how most of them look in Docker's JSON. */
export function enumText(names: NumericEnum, value: number): string {
  return String(names[value] ?? '').toLowerCase();
}

/** The value of an enum's name in any letter case; undefined when there is none. */
export function enumValue(names: NumericEnum, text: string): number | undefined {
  const value = names[text.toUpperCase()];
  return typeof value === 'number' ? value : undefined;
}

/** The same where nothing else may be said: undefined for '' alone. `field` is what Docker calls it. */
export function knownValue(names: NumericEnum, text: string, field: string): number | undefined {
  const value = enumValue(names, text);
  if (value === undefined && text !== '') {
    throw invalid(`invalid ${field}: ${JSON.stringify(text)}`);
  }
  return value;
}

/**
 * Remembers conversions by message. What the store holds never changes in place, and the tasks of a service
 * share their spec and their networks, so a list of tasks converts each of these once.
 */
export function remembered<M extends object, R extends Json | string>(
  convert: (message: M) => R,
): (message: M) => R {
  const known = new WeakMap<M, R>();
  return (message) => {
    let result = known.get(message);
    if (result === undefined) known.set(message, (result = convert(message)));
    return result;
  };
}
