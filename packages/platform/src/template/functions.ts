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

/** Negative when the first is less, positive when it is more. */
function compare(first: TemplateValue | undefined, second: TemplateValue | undefined): number {
  const comparable = typeof first === 'string' || typeof first === 'number';
  if (!comparable || typeof first !== typeof second) {
    throw new TemplateError('error calling lt: incompatible types for comparison');
  }
  if (first === second) return 0;
  return first < (second as typeof first) ? -1 : 1;
}

/** `slice TEXT FROM TO`, in bytes. */
function slice(value: TemplateValue | undefined, ...bounds: TemplateValue[]): string {
  const bytes = Buffer.from(text(value, 'slice'));
  const [from = 0, to = bytes.length] = bounds.map(Number);
  if (!(from >= 0 && from <= to && to <= bytes.length) || bounds.length > 2) {
    throw new TemplateError(`error calling slice: index out of range: ${bounds.join(', ')}`);
  }
  return bytes.subarray(from, to).toString();
}

const HTML: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

/** Go's functions that text and numbers need, and SwarmKit's `join` (separator first). */
export const BUILT_IN: Readonly<Record<string, TemplateFunction>> = {
  and: (...args) => args.find((value) => !isTrue(value)) ?? args.at(-1) ?? false,
  or: (...args) => args.find(isTrue) ?? args.at(-1) ?? false,
  not: (value) => !isTrue(value),
  eq: equal,
  ne: (first, second) => first !== second,
  lt: (first, second) => compare(first, second) < 0,
  le: (first, second) => compare(first, second) <= 0,
  gt: (first, second) => compare(first, second) > 0,
  ge: (first, second) => compare(first, second) >= 0,
  html: (...args) => print(...args).replace(/["'&<>]/g, (sign) => HTML[sign] ?? sign),
  index: indexOf,
  join: (separator, ...parts) =>
    parts.map((part) => text(part, 'join')).join(text(separator, 'join')),
  len: length,
  print,
  printf: (format, ...args) => sprintf(text(format, 'printf'), args),
  println: (...args) => `${args.map(formatValue).join(' ')}\n`,
  slice,
  urlquery: (...args) => encodeURIComponent(print(...args)).replaceAll('%20', '+'),
};
