import { TemplateError } from './error.js';
import type { Command, Expression, Operand, Pipeline } from './expression.js';
import { BUILT_IN } from './functions.js';
import { TEMPLATE_OUTPUT_LENGTH_MAX } from './limits.js';
import { fieldOf, type TemplateFunction, type TemplateValue } from './value.js';

/** Functions of a template beside the built-in ones, by name. */
export type TemplateFunctions = Readonly<Record<string, TemplateFunction>>;

/** What expressions see: the dot, variables, which end with their block, and functions. */
export class Scope {
  readonly dot: TemplateValue;
  readonly functions: TemplateFunctions;
  readonly #outer: Scope | undefined;
  readonly #variables = new Map<string, TemplateValue>();

  constructor(dot: TemplateValue, functions: TemplateFunctions, outer?: Scope) {
    this.dot = dot;
    this.functions = functions;
    this.#outer = outer;
    if (!outer) this.declare('$', dot);
  }

  /** A scope within this one, with another dot if one is given. */
  within(dot: TemplateValue = this.dot): Scope {
    return new Scope(dot, this.functions, this);
  }

  declare(name: string, value: TemplateValue): void {
    this.#variables.set(name, value);
  }

  assign(name: string, value: TemplateValue): void {
    const holder = this.#holder(name);
    holder.#variables.set(name, value);
  }

  read(name: string): TemplateValue {
    const value = this.#holder(name).#variables.get(name);
    if (value === undefined) throw new TemplateError(`undefined variable "${name}"`);
    return value;
  }

  #holder(name: string): Scope {
    let scope: Scope | undefined = this;
    while (scope && !scope.#variables.has(name)) scope = scope.#outer;
    if (!scope) throw new TemplateError(`undefined variable "${name}"`);
    return scope;
  }
}

/** The value of an expression, which its variable is given too. */
export function evaluate(
  { pipeline, variables, declares }: Expression,
  scope: Scope,
): TemplateValue {
  const value = evaluatePipeline(pipeline, scope);
  const [name] = variables;
  if (name !== undefined) scope[declares ? 'declare' : 'assign'](name, value);
  return value;
}

export function evaluatePipeline(pipeline: Pipeline, scope: Scope): TemplateValue {
  let last: TemplateValue | undefined;
  for (const command of pipeline) last = run(command, scope, last);
  if (last === undefined) throw new TemplateError('missing value for command');
  return last;
}

function run(command: Command, scope: Scope, piped: TemplateValue | undefined): TemplateValue {
  const [head, ...rest] = command;
  if (!head) throw new TemplateError('missing value for command');
  const args = rest.map((operand) => operandValue(operand, scope));
  if (piped !== undefined) args.push(piped);
  if (head.kind === 'call') return call(head.name, args, scope);
  if (args.length > 0) throw new TemplateError("can't give argument to non-function");
  return operandValue(head, scope);
}

function call(name: string, args: TemplateValue[], { functions }: Scope): TemplateValue {
  const own = Object.hasOwn(functions, name) ? functions[name] : undefined;
  const built = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
  const made = own ?? built;
  if (!made) throw new TemplateError(`function "${name}" not defined`);
  checkLength(args.reduce<number>((sum, value) => sum + lengthOf(value), 0));
  const value = made(...args);
  checkLength(lengthOf(value));
  return value;
}

function lengthOf(value: TemplateValue): number {
  return typeof value === 'string' ? value.length : 0;
}

/** Keeps what doubles itself from filling the memory. */
export function checkLength(length: number): void {
  if (length > TEMPLATE_OUTPUT_LENGTH_MAX) throw new TemplateError('its text becomes too long');
}

function operandValue(operand: Operand, scope: Scope): TemplateValue {
  switch (operand.kind) {
    case 'literal':
      return operand.value;
    case 'call':
      return call(operand.name, [], scope);
    case 'field':
      return operand.path.reduce(fieldOf, scope.dot);
    case 'variable':
      return operand.path.reduce(fieldOf, scope.read(operand.name));
    case 'group':
      return operand.path.reduce(fieldOf, evaluatePipeline(operand.pipeline, scope));
  }
}
