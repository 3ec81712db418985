import { HttpError } from './errors.js';

/** What a JSON value must be. Objects check the fields they name and leave all others alone. */
export type Shape =
  | 'string'
  | 'bool'
  | 'integer'
  | { list: Shape }
  | { map: Shape }
  | { fields: Readonly<Record<string, Shape>> };

/** Go's name of a shape, for its error text. */
function goName(shape: Shape): string {
  if (shape === 'integer') return 'int64';
  if (typeof shape === 'string') return shape;
  if ('list' in shape) return `[]${goName(shape.list)}`;
  return 'map' in shape ? `map[string]${goName(shape.map)}` : 'struct';
}

function given(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/**
 * Holds a body to its shape, as Go's decoder does: null is absence and fits everywhere. Throws a 400
 * in that decoder's words, with the path of the field.
 */
export function checkShape(value: unknown, shape: Shape, path: string): void {
  if (value === undefined || value === null) return;
  const isObject = typeof value === 'object' && !Array.isArray(value);
  if (typeof shape === 'string') {
    const fits = shape === 'integer' ? Number.isInteger(value) : given(value) === shape;
    if (!fits) throw mismatch(value, shape, path);
  } else if ('list' in shape) {
    if (!Array.isArray(value)) throw mismatch(value, shape, path);
    for (const entry of value) checkShape(entry, shape.list, path);
  } else {
    if (!isObject) throw mismatch(value, shape, path);
    for (const [name, entry] of Object.entries(value)) {
      const inner = 'map' in shape ? shape.map : shape.fields[name];
      if (inner !== undefined) checkShape(entry, inner, 'map' in shape ? path : `${path}.${name}`);
    }
  }
}

function mismatch(value: unknown, shape: Shape, path: string): HttpError {
  const what = `cannot unmarshal ${given(value)} into Go struct field ${path}`;
  return new HttpError(400, `invalid JSON: json: ${what} of type ${goName(shape)}`);
}
