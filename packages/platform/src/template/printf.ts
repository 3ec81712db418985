import { TemplateError } from './error.js';
import { PRINTF_WIDTH_MAX } from './limits.js';
import { formatValue, type TemplateValue } from './value.js';

const VERB = /%([-+# 0]*)(\d*)(?:\.(\d*))?([\s\S]|$)/g;

function typeName(value: TemplateValue): string {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'number' ? 'int' : 'map[string]string';
}

/** The text of one verb without its width; undefined when the verb does not suit the value. */
function verbText(verb: string, value: TemplateValue, precision: number | undefined) {
  switch (verb) {
    case 'v':
      return formatValue(value);
    case 's':
      return typeof value === 'string' ? value.slice(0, precision) : undefined;
    case 'q':
      return typeof value === 'string' ? JSON.stringify(value) : undefined;
    case 'd':
      return typeof value === 'number' ? String(Math.trunc(value)) : undefined;
    case 't':
      return typeof value === 'boolean' ? String(value) : undefined;
    default:
      return undefined;
  }
}

function pad(text: string, flags: string, width: number): string {
  if (flags.includes('-')) return text.padEnd(width);
  return text.padStart(width, flags.includes('0') ? '0' : ' ');
}

/** Go's Sprintf, with the verbs `%v %s %q %d %t %%`; mistakes show in the text as Go shows them. */
export function sprintf(format: string, args: readonly TemplateValue[]): string {
  let next = 0;
  const text = format.replace(VERB, (_, flags: string, width: string, precision, verb: string) => {
    if (verb === '%') return '%';
    if (verb === '') return '%!(NOVERB)';
    if (Number(width) > PRINTF_WIDTH_MAX) throw new TemplateError('error calling printf: too wide');
    const value = args[next++];
    if (value === undefined) return `%!${verb}(MISSING)`;
    const limit = precision === undefined ? undefined : Number(precision);
    const done = verbText(verb, value, limit);
    if (done === undefined) return `%!${verb}(${typeName(value)}=${formatValue(value)})`;
    return pad(done, flags, Number(width));
  });
  const extra = args.slice(next).map((value) => `${typeName(value)}=${formatValue(value)}`);
  return extra.length > 0 ? `${text}%!(EXTRA ${extra.join(', ')})` : text;
}
