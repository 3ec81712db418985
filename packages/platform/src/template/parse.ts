import { TemplateError } from './error.js';
import { TEMPLATE_DEPTH_MAX } from './limits.js';
import { scanTemplate } from './scan.js';

/** Something with a value: a literal, a field of the data or of a parenthesis, or a function by name. */
export type Operand =
  | { kind: 'literal'; value: string | number | boolean }
  | { kind: 'field'; path: string[] }
  | { kind: 'call'; name: string }
  | { kind: 'group'; pipeline: Pipeline; path: string[] };

/** A function or value, and its arguments. */
export type Command = Operand[];
/** Each command gets the value of the one before it as its last argument. */
export type Pipeline = Command[];

export type TemplateNode = { kind: 'text'; text: string } | { kind: 'value'; pipeline: Pipeline };

const TOKEN =
  /\s+|"(?:[^"\\\n]|\\.)*"|`[^`]*`|[()|]|\$?(?:\.[A-Za-z_][A-Za-z0-9_]*)+|[.$](?![A-Za-z0-9_])|-?\d+(?:\.\d+)?|[A-Za-z_][A-Za-z0-9_]*/gy;

/** Go's control words and the signs of variables: known, so that the refusal can name them. */
const UNSUPPORTED = new Set(
  'if else end range with define template block break continue nil'.split(' '),
);

function tokenize(source: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (!match) throw new TemplateError(`unexpected "${source.slice(at, at + 20)}" in command`);
    tokens.push(match[0]);
  }
  return tokens;
}

function unquote(token: string): string {
  if (token.startsWith('`')) return token.slice(1, -1);
  try {
    return JSON.parse(token) as string;
  } catch {
    throw new TemplateError(`bad string ${token}`);
  }
}

class ActionParser {
  readonly #tokens: string[];
  #at = 0;

  constructor(source: string) {
    this.#tokens = tokenize(source);
  }

  parse(): Pipeline {
    const pipeline = this.#pipeline(0);
    if (this.#at < this.#tokens.length) throw new TemplateError('unexpected right paren');
    return pipeline;
  }

  #pipeline(depth: number): Pipeline {
    if (depth > TEMPLATE_DEPTH_MAX) throw new TemplateError('too many parentheses');
    const pipeline = [this.#command(depth)];
    while (this.#tokens[this.#at] === '|') {
      this.#at++;
      pipeline.push(this.#command(depth));
    }
    return pipeline;
  }

  #command(depth: number): Command {
    const command: Command = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined || token === '|' || token === ')') break;
      this.#at++;
      if (!/^\s/.test(token)) command.push(this.#operand(token, depth));
    }
    if (command.length === 0) throw new TemplateError('missing value for command');
    return command;
  }

  #operand(token: string, depth: number): Operand {
    if (token === '(') return this.#group(depth);
    if (token.startsWith('"') || token.startsWith('`')) {
      return { kind: 'literal', value: unquote(token) };
    }
    if (/^-?\d/.test(token)) return { kind: 'literal', value: Number(token) };
    if (token === '.' || token === '$') return { kind: 'field', path: [] };
    if (token.startsWith('.') || token.startsWith('$.')) {
      return { kind: 'field', path: token.replace(/^\$?\./, '').split('.') };
    }
    if (token === 'true' || token === 'false') return { kind: 'literal', value: token === 'true' };
    if (UNSUPPORTED.has(token)) throw new TemplateError(`"${token}" is not supported`);
    return { kind: 'call', name: token };
  }

  #group(depth: number): Operand {
    const pipeline = this.#pipeline(depth + 1);
    if (this.#tokens[this.#at] !== ')') throw new TemplateError('unclosed left paren');
    this.#at++;
    const next = this.#tokens[this.#at];
    if (!next?.startsWith('.') || next === '.') return { kind: 'group', pipeline, path: [] };
    this.#at++;
    return { kind: 'group', pipeline, path: next.slice(1).split('.') };
  }
}

const COMMENT = /^\s*\/\*[\s\S]*\*\/\s*$/;

/** Reads a template. Throws {@link TemplateError}. */
export function parseTemplate(template: string): TemplateNode[] {
  const nodes: TemplateNode[] = [];
  for (const chunk of scanTemplate(template)) {
    if (chunk.kind === 'text') nodes.push(chunk);
    else if (!COMMENT.test(chunk.source)) {
      nodes.push({ kind: 'value', pipeline: new ActionParser(chunk.source).parse() });
    }
  }
  return nodes;
}
