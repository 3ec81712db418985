import { TemplateError } from './error.js';
import {
  checkLength,
  evaluate,
  evaluatePipeline,
  Scope,
  type TemplateFunctions,
} from './evaluate.js';
import { TEMPLATE_STEPS_MAX } from './limits.js';
import { type Block, parseTemplate, type TemplateNode } from './parse.js';
import { elementsOf, formatValue, isTrue, type TemplateValue } from './value.js';

export interface TemplateScope {
  /** What `.` is. */
  data: TemplateValue;
  /** Beside the built-in ones. */
  functions?: TemplateFunctions;
}

/**
 * Works out a template: Go's text/template, as SwarmKit uses it for service specs, secrets and
 * configs, but for templates within templates (`define`, `template`, `block`). Throws
 * {@link TemplateError}.
 */
export function expandTemplate(template: string, { data, functions = {} }: TemplateScope): string {
  if (!template.includes('{{')) return template;
  return new Expansion().expand(parseTemplate(template), new Scope(data, functions));
}

/** How a list of nodes ended. */
type Flow = 'on' | 'break' | 'continue';

class Expansion {
  readonly #parts: string[] = [];
  #length = 0;
  #steps = 0;

  expand(nodes: readonly TemplateNode[], scope: Scope): string {
    this.#run(nodes, scope);
    return this.#parts.join('');
  }

  #run(nodes: readonly TemplateNode[], scope: Scope): Flow {
    for (const node of nodes) {
      if (++this.#steps > TEMPLATE_STEPS_MAX) throw new TemplateError('it takes too many steps');
      const flow = this.#node(node, scope);
      if (flow !== 'on') return flow;
    }
    return 'on';
  }

  #node(node: TemplateNode, scope: Scope): Flow {
    switch (node.kind) {
      case 'text':
        return this.#write(node.text);
      case 'value': {
        const value = evaluate(node.expression, scope);
        return node.expression.variables.length > 0 ? 'on' : this.#write(formatValue(value));
      }
      case 'break':
      case 'continue':
        return node.kind;
      case 'range':
        return this.#range(node, scope);
      default:
        return this.#condition(node, scope);
    }
  }

  #write(text: string): Flow {
    checkLength((this.#length += text.length));
    this.#parts.push(text);
    return 'on';
  }

  #condition({ kind, expression, body, otherwise }: Block, scope: Scope): Flow {
    const inner = scope.within();
    const value = evaluate(expression, inner);
    if (!isTrue(value)) return this.#run(otherwise, inner);
    return this.#run(body, kind === 'with' ? inner.within(value) : inner);
  }

  #range({ expression, body, otherwise }: Block, scope: Scope): Flow {
    const elements = elementsOf(evaluatePipeline(expression.pipeline, scope));
    if (elements.length === 0) return this.#run(otherwise, scope.within());
    const [first, second] = expression.variables;
    for (const [key, value] of elements) {
      const inner = scope.within(value);
      const given = expression.declares ? inner.declare.bind(inner) : scope.assign.bind(scope);
      if (first !== undefined) given(first, second === undefined ? value : key);
      if (second !== undefined) given(second, value);
      if (this.#run(body, inner) === 'break') break;
    }
    return 'on';
  }
}
