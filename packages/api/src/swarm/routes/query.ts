import { create } from '@bufbuild/protobuf';
import { type Version, VersionSchema } from '@skep/wire/swarmkit';
import { HttpError } from '../../server/errors.js';
import { type Query, text } from '../../server/query.js';
import { invalid } from '../errors.js';

const UINT64_MAX = 2n ** 64n - 1n;

/** The `version` an update was read at. `describe` words the error for a value that is no number. */
export function versionOf(
  query: Query,
  describe: (value: string, reason: string) => string,
): Version {
  const value = text(query, 'version') ?? '';
  const index = /^\d+$/.test(value) ? BigInt(value) : undefined;
  if (index === undefined || index > UINT64_MAX) {
    const problem = index === undefined ? 'invalid syntax' : 'value out of range';
    throw invalid(
      describe(value, `strconv.ParseUint: parsing ${JSON.stringify(value)}: ${problem}`),
    );
  }
  return create(VersionSchema, { index });
}

const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

/** A strict boolean: Docker refuses here what it takes for truth elsewhere. */
export function strictFlag(query: Query, name: string): boolean {
  const value = text(query, name);
  if (!value || FALSE.includes(value)) return false;
  if (TRUE.includes(value)) return true;
  throw invalid(
    `invalid value for ${name}: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
  );
}

/** `["a=b","c"]` → `{a: 'b', c: ''}`. */
export function labelsOf(values: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    values.map((value) => {
      const separator = value.indexOf('=');
      return separator < 0 ? [value, ''] : [value.slice(0, separator), value.slice(separator + 1)];
    }),
  );
}

/** Translates filter values; one that means nothing is an error of Docker's kind 500. */
export function translate<T>(
  values: readonly string[] | undefined,
  parse: (text: string) => T | undefined,
  name: string,
): T[] {
  return (values ?? []).map((value) => {
    const translated = parse(value);
    if (translated === undefined) throw new HttpError(500, `Invalid ${name} filter: '${value}'`);
    return translated;
  });
}
