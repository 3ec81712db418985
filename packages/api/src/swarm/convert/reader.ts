import type { Duration } from '@bufbuild/protobuf/wkt';
import { durationFromNanos } from '@skep/wire';
import { invalid } from '../errors.js';

const INT32_MAX = 2 ** 31 - 1;
const UINT32_MAX = 2 ** 32 - 1;
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Reads a JSON object as Go's decoder does: names match in any letter case, `null` is absence, absence is the
 * zero value, fields nobody knows are ignored, and a value of another type is an error (HTTP 400).
 */
export class JsonReader {
  readonly #fields: Record<string, unknown>;
  readonly #path: string;
  #folded: Map<string, unknown> | undefined;

  constructor(fields: Record<string, unknown>, path: string) {
    this.#fields = fields;
    this.#path = path;
  }

  /** The reader of a whole body; anything but an object is refused. */
  static of(body: unknown, type: string): JsonReader {
    if (body === undefined || body === null) return new JsonReader({}, type);
    if (!isObject(body)) throw mismatch(body, type, 'object');
    return new JsonReader(body, type);
  }

  has(name: string): boolean {
    return this.#get(name) !== undefined;
  }

  string(name: string): string {
    const value = this.#get(name);
    if (value === undefined) return '';
    if (typeof value !== 'string') throw this.#mismatch(name, value, 'string');
    return value;
  }

  boolean(name: string): boolean {
    return this.optionalBoolean(name) ?? false;
  }

  optionalBoolean(name: string): boolean | undefined {
    const value = this.#get(name);
    if (value !== undefined && typeof value !== 'boolean') {
      throw this.#mismatch(name, value, 'bool');
    }
    return value;
  }

  float(name: string): number {
    const value = this.#get(name) ?? 0;
    if (typeof value !== 'number') throw this.#mismatch(name, value, 'float32');
    return value;
  }

  int32(name: string): number {
    return Number(this.#integer(name, 'int32', BigInt(-INT32_MAX - 1), BigInt(INT32_MAX)) ?? 0);
  }

  uint32(name: string): number {
    return Number(this.#integer(name, 'uint32', 0n, BigInt(UINT32_MAX)) ?? 0);
  }

  int64(name: string): bigint {
    return this.optionalInt64(name) ?? 0n;
  }

  optionalInt64(name: string): bigint | undefined {
    return this.#integer(name, 'int64', -INT64_MAX - 1n, INT64_MAX);
  }

  uint64(name: string): bigint {
    return this.optionalUint64(name) ?? 0n;
  }

  optionalUint64(name: string): bigint | undefined {
    return this.#integer(name, 'uint64', 0n, UINT64_MAX);
  }

  /** A duration in integer nanoseconds. */
  duration(name: string): Duration {
    return durationFromNanos(this.int64(name));
  }

  optionalDuration(name: string): Duration | undefined {
    const nanos = this.optionalInt64(name);
    return nanos === undefined ? undefined : durationFromNanos(nanos);
  }

  /** Bytes in base64. */
  bytes(name: string): Uint8Array {
    const text = this.string(name).replace(/[\r\n]/g, '');
    if (!BASE64.test(text)) throw invalid(`illegal base64 data in field ${this.#path}.${name}`);
    return new Uint8Array(Buffer.from(text, 'base64'));
  }

  strings(name: string): string[] {
    return this.#array(name).map((value) => {
      if (typeof value !== 'string') throw this.#mismatch(name, value, 'string');
      return value;
    });
  }

  stringLists(name: string): string[][] {
    return this.#array(name).map((list) => {
      if (!Array.isArray(list)) throw this.#mismatch(name, list, '[]string');
      const wrong = list.find((entry) => typeof entry !== 'string');
      if (wrong !== undefined) throw this.#mismatch(name, wrong, 'string');
      return list;
    });
  }

  map(name: string): Record<string, string> {
    const value = this.#get(name);
    if (value === undefined) return {};
    if (!isObject(value)) throw this.#mismatch(name, value, 'map[string]string');
    const wrong = Object.values(value).find((entry) => typeof entry !== 'string');
    if (wrong !== undefined) throw this.#mismatch(name, wrong, 'string');
    return value as Record<string, string>;
  }

  /** Undefined when the object is absent: for Docker that is not the same as an empty one. */
  object(name: string): JsonReader | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw this.#mismatch(name, value, 'struct');
    return new JsonReader(value, `${this.#path}.${name}`);
  }

  objects(name: string): JsonReader[] {
    return this.#array(name).map((value) => {
      if (!isObject(value)) throw this.#mismatch(name, value, 'struct');
      return new JsonReader(value, `${this.#path}.${name}`);
    });
  }

  #get(name: string): unknown {
    const exact = this.#fields[name];
    if (exact !== undefined) return exact ?? undefined;
    this.#folded ??= new Map(
      Object.entries(this.#fields).map(([key, value]) => [key.toLowerCase(), value]),
    );
    return this.#folded.get(name.toLowerCase()) ?? undefined;
  }

  #array(name: string): unknown[] {
    const value = this.#get(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.#mismatch(name, value, 'slice');
    return value;
  }

  #integer(name: string, type: string, least: bigint, most: bigint): bigint | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      throw this.#mismatch(name, value, type);
    }
    const integer = BigInt(value);
    if (integer < least || integer > most) throw this.#mismatch(name, value, type);
    return integer;
  }

  #mismatch(name: string, value: unknown, type: string) {
    return mismatch(value, `${this.#path}.${name}`, type);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mismatch(value: unknown, field: string, type: string) {
  const given = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  const shown = typeof value === 'number' ? `number ${value}` : given;
  return invalid(
    `invalid JSON: json: cannot unmarshal ${shown} into Go struct field ${field} of type ${type}`,
  );
}
