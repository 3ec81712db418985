import { TemplateError } from './error.js';
import { type Expression, parseExpression } from './expression.js';
import { TEMPLATE_DEPTH_MAX } from './limits.js';
import { type Chunk, scanTemplate } from './scan.js';

/** A block with a condition: `with` also makes its value the dot, `range` does so for each element. */
export interface Block {
  kind: 'if' | 'with' | 'range';
  expression: Expression;
  body: TemplateNode[];
  otherwise: TemplateNode[];
}

export type TemplateNode =
  | { kind: 'text'; text: string }
  | { kind: 'value'; expression: Expression }
  | { kind: 'break' | 'continue' }
  | Block;

const COMMENT = /^\s*\/\*[\s\S]*\*\/\s*$/;

/** The words an action may begin with, and what follows them. */
const WORD = /^\s*(if|with|range|else|end|break|continue|define|template|block)(?!\w)([\s\S]*)$/;

/** Reads a template. Throws {@link TemplateError}. */
export function parseTemplate(template: string): TemplateNode[] {
  return new TemplateParser(scanTemplate(template)).parse();
}

/** What ended a list of nodes: an `else` with what follows it, or `end`. */
type Ending = { kind: 'else'; rest: string } | { kind: 'end' };

class TemplateParser {
  readonly #chunks: readonly Chunk[];
  #at = 0;
  /** Blocks, and those of them that `break` may leave, around the present place. */
  #depth = 0;
  #loops = 0;

  constructor(chunks: readonly Chunk[]) {
    this.#chunks = chunks;
  }

  parse(): TemplateNode[] {
    const nodes: TemplateNode[] = [];
    const ending = this.#nodes(nodes);
    if (ending) throw new TemplateError(`unexpected {{${ending.kind}}}`);
    return nodes;
  }

  /** Reads up to an `else` or `end`; undefined at the end of the template. */
  #nodes(into: TemplateNode[]): Ending | undefined {
    for (;;) {
      const chunk = this.#chunks[this.#at++];
      if (!chunk) return undefined;
      if (chunk.kind === 'text') into.push(chunk);
      else if (!COMMENT.test(chunk.source)) {
        const [, word, rest = ''] = WORD.exec(chunk.source) ?? [];
        if (word === 'else') return { kind: 'else', rest };
        if (word === 'end') {
          onlyWord(word, rest);
          return { kind: 'end' };
        }
        into.push(this.#action(word, rest, chunk.source));
      }
    }
  }

  #action(word: string | undefined, rest: string, source: string): TemplateNode {
    switch (word) {
      case undefined:
        return { kind: 'value', expression: valueExpression(source) };
      case 'if':
      case 'with':
      case 'range':
        return this.#block(word, rest);
      case 'break':
      case 'continue':
        onlyWord(word, rest);
        if (this.#loops === 0) throw new TemplateError(`{{${word}}} outside {{range}}`);
        return { kind: word };
      default:
        throw new TemplateError(`"${word}" is not supported`);
    }
  }

  #block(kind: Block['kind'], rest: string): Block {
    if (++this.#depth > TEMPLATE_DEPTH_MAX) throw new TemplateError('too many blocks');
    const expression = parseExpression(rest);
    if (expression.variables.length > (kind === 'range' ? 2 : 1)) {
      throw new TemplateError(`too many declarations in ${kind}`);
    }
    const body: TemplateNode[] = [];
    if (kind === 'range') this.#loops++;
    const ending = this.#nodes(body);
    if (kind === 'range') this.#loops--;
    const otherwise = this.#otherwise(kind, ending);
    this.#depth--;
    return { kind, expression, body, otherwise };
  }

  /** What follows an `else`, which may be a block that shares the `end`. */
  #otherwise(kind: Block['kind'], ending: Ending | undefined): TemplateNode[] {
    if (!ending) throw new TemplateError('unexpected EOF');
    if (ending.kind === 'end') return [];
    const [, chained, rest = ''] = WORD.exec(ending.rest) ?? [];
    if (chained === kind && kind !== 'range') return [this.#block(kind, rest)];
    onlyWord('else', ending.rest);
    const nodes: TemplateNode[] = [];
    const last = this.#nodes(nodes);
    if (last?.kind !== 'end')
      throw new TemplateError(last ? 'unexpected {{else}}' : 'unexpected EOF');
    return nodes;
  }
}

function onlyWord(word: string, rest: string): void {
  if (rest.trim() !== '') throw new TemplateError(`unexpected "${rest.trim()}" in ${word}`);
}

function valueExpression(source: string): Expression {
  const expression = parseExpression(source);
  if (expression.variables.length > 1) throw new TemplateError('too many declarations in command');
  return expression;
}
