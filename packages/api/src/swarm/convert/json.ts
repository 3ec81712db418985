/** JSON objects as Docker writes them. */
export type Json = Record<string, unknown>;

/**
 * Drops what Go's `omitempty` drops: zero, false, the empty string, and lists and maps without entries.
 * Sub-objects that Docker holds by pointer must not pass through here: they are kept even when empty.
 */
export function omitEmpty(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  if (!value) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
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
