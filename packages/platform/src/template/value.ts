import { TemplateError } from './error.js';

/**
 * What a template works with. A plain object is a Go struct: asking for a field it has not is an error. A
 * `Map` is a Go map: `.Key` of an absent key is an error, `index` of one gives the empty string.
 */
export type TemplateValue =
  | string
  | number
  | boolean
  | ReadonlyMap<string, string>
  | { readonly [field: string]: TemplateValue };

export type TemplateFunction = (...args: TemplateValue[]) => TemplateValue;

function isMap(value: TemplateValue): value is ReadonlyMap<string, string> {
  return value instanceof Map;
}

/** Go's `%v` of a value. */
export function formatValue(value: TemplateValue): string {
  if (typeof value !== 'object') return String(value);
  if (isMap(value)) {
    const keys = [...value.keys()].sort();
    return `map[${keys.map((key) => `${key}:${value.get(key)}`).join(' ')}]`;
  }
  return `{${Object.values(value).map(formatValue).join(' ')}}`;
}

export function fieldOf(value: TemplateValue, name: string): TemplateValue {
  if (typeof value !== 'object') throw new TemplateError(`can't evaluate field ${name}`);
  if (isMap(value)) {
    const found = value.get(name);
    if (found === undefined) throw new TemplateError(`map has no entry for key "${name}"`);
    return found;
  }
  const found = Object.hasOwn(value, name) ? value[name] : undefined;
  if (found === undefined) throw new TemplateError(`can't evaluate field ${name}`);
  return found;
}

/** `index MAP KEY`. */
export function indexOf(value: TemplateValue | undefined, ...keys: TemplateValue[]): TemplateValue {
  if (value === undefined) throw new TemplateError('wrong number of args for index');
  if (keys.length === 0) return value;
  if (typeof value !== 'object' || !isMap(value) || keys.length > 1) {
    throw new TemplateError(`error calling index: can't index ${formatValue(value)}`);
  }
  const key = keys[0];
  if (typeof key !== 'string') throw new TemplateError('error calling index: the key is no string');
  return value.get(key) ?? '';
}

/** Keys and values in the order that `range` goes through them. */
export function elementsOf(value: TemplateValue): [string, string][] {
  if (typeof value !== 'object' || !isMap(value)) {
    throw new TemplateError(`range can't iterate over ${formatValue(value)}`);
  }
  return [...value].sort(([a], [b]) => (a < b ? -1 : 1));
}

export function isTrue(value: TemplateValue | undefined): boolean {
  if (value !== undefined && typeof value === 'object' && isMap(value)) return value.size > 0;
  return Boolean(value);
}
