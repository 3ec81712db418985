import { TemplateError } from './error.js';
import { sprintf } from './printf.js';
import {
  formatValue,
  indexOf,
  isTrue,
  type TemplateFunction,
  type TemplateValue,
} from './value.js';

function text(value: TemplateValue | undefined, of: string): string {
  if (typeof value !== 'string') {
    throw new TemplateError(
      `error calling ${of}: expected string; found ${formatValue(value ?? '')}`,
    );
  }
  return value;
}

/** Go puts a space between two operands of `print` when neither is a string. */
function print(...args: TemplateValue[]): string {
  let line = '';
  for (const [index, value] of args.entries()) {
    const before = args[index - 1];
    const apart = before !== undefined && typeof before !== 'string' && typeof value !== 'string';
    line += `${apart ? ' ' : ''}${formatValue(value)}`;
  }
  return line;
}

function length(value: TemplateValue | undefined): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (value instanceof Map) return value.size;
  throw new TemplateError('error calling len: the value has no length');
}

function equal(first: TemplateValue | undefined, ...others: TemplateValue[]): boolean {
  if (others.length === 0)
    throw new TemplateError('error calling eq: missing argument for comparison');
  return others.includes(first as TemplateValue);
}

/** Go's functions that make sense without control flow, and SwarmKit's `join` (separator first). */
export const BUILT_IN: Readonly<Record<string, TemplateFunction>> = {
  and: (...args) => args.find((value) => !isTrue(value)) ?? args.at(-1) ?? false,
  or: (...args) => args.find(isTrue) ?? args.at(-1) ?? false,
  not: (value) => !isTrue(value),
  eq: equal,
  ne: (first, second) => first !== second,
  index: indexOf,
  join: (separator, ...parts) =>
    parts.map((part) => text(part, 'join')).join(text(separator, 'join')),
  len: length,
  print,
  printf: (format, ...args) => sprintf(text(format, 'printf'), args),
  println: (...args) => `${args.map(formatValue).join(' ')}\n`,
  urlquery: (...args) => encodeURIComponent(print(...args)).replaceAll('%20', '+'),
};
