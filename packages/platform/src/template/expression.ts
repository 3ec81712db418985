import { TemplateError } from './error.js';
import { TEMPLATE_DEPTH_MAX } from './limits.js';

/**
 * Something with a value: a literal, a field of the data, of a variable or of a parenthesis, or a
 * function by name.
 */
export type Operand =
  | { kind: 'literal'; value: string | number | boolean }
  | { kind: 'field'; path: string[] }
  | { kind: 'variable'; name: string; path: string[] }
  | { kind: 'call'; name: string }
  | { kind: 'group'; pipeline: Pipeline; path: string[] };

/** A function or value, and its arguments. */
export type Command = Operand[];
/** Each command gets the value of the one before it as its last argument. */
export type Pipeline = Command[];

/** The inside of an action: a pipeline, and the variables its value is given to. */
export interface Expression {
  variables: string[];
  /** Whether the variables are new ones (`:=`). */
  declares: boolean;
  pipeline: Pipeline;
}

const TOKEN =
  /\s+|"(?:[^"\\\n]|\\.)*"|`[^`]*`|:=|[()|,=]|\$\w*(?:\.[A-Za-z_]\w*)*|(?:\.[A-Za-z_]\w*)+|\.(?!\w)|-?\d+(?:\.\d+)?|[A-Za-z_]\w*/gy;

/** Reads what stands in an action after its word, if it has one. */
export function parseExpression(source: string): Expression {
  return new ExpressionParser(tokenize(source)).parse();
}

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

/** Variables, commas, and one of the two signs, before a pipeline. */
const ASSIGNMENT = /^\s*(\$\w+)\s*(?:,\s*(\$\w+)\s*)?(:?=)$/;

class ExpressionParser {
  readonly #tokens: string[];
  #at = 0;

  constructor(tokens: string[]) {
    this.#tokens = tokens;
  }

  parse(): Expression {
    const { variables, declares } = this.#assignment();
    const pipeline = this.#pipeline(0);
    if (this.#at < this.#tokens.length) {
      const token = this.#tokens[this.#at];
      throw new TemplateError(token === ')' ? 'unexpected right paren' : `unexpected "${token}"`);
    }
    return { variables, declares, pipeline };
  }

  #assignment(): Pick<Expression, 'variables' | 'declares'> {
    const sign = this.#tokens.findIndex((token) => token === ':=' || token === '=');
    if (sign < 0) return { variables: [], declares: false };
    const match = ASSIGNMENT.exec(this.#tokens.slice(0, sign + 1).join(''));
    if (!match) throw new TemplateError(`unexpected "${this.#tokens[sign]}" in command`);
    this.#at = sign + 1;
    const [, first = '', second] = match;
    return { variables: second ? [first, second] : [first], declares: match[3] === ':=' };
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
    if (token === '.') return { kind: 'field', path: [] };
    if (token.startsWith('.')) return { kind: 'field', path: token.slice(1).split('.') };
    if (token.startsWith('$')) {
      const [name = '', ...path] = token.split('.');
      return { kind: 'variable', name, path };
    }
    if (token === 'true' || token === 'false') return { kind: 'literal', value: token === 'true' };
    if (token === 'nil') throw new TemplateError('"nil" is not supported');
    if (/^\W/.test(token)) throw new TemplateError(`unexpected "${token}" in command`);
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
