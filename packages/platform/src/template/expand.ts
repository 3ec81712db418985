import { TemplateError } from './error.js';
import { BUILT_IN } from './functions.js';
import { type Command, type Operand, type Pipeline, parseTemplate } from './parse.js';
import { fieldOf, formatValue, type TemplateFunction, type TemplateValue } from './value.js';

export interface TemplateScope {
  /** What `.` is. */
  data: TemplateValue;
  /** Beside the built-in ones. */
  functions?: Readonly<Record<string, TemplateFunction>>;
}

/**
 * Works out a template: Go's text/template without control flow and variables, as SwarmKit uses it for
 * service specs. Throws {@link TemplateError}.
 */
export function expandTemplate(template: string, scope: TemplateScope): string {
  if (!template.includes('{{')) return template;
  return parseTemplate(template)
    .map((node) => (node.kind === 'text' ? node.text : formatValue(evaluate(node.pipeline, scope))))
    .join('');
}

function evaluate(pipeline: Pipeline, scope: TemplateScope): TemplateValue {
  let last: TemplateValue | undefined;
  for (const command of pipeline) last = run(command, scope, last);
  if (last === undefined) throw new TemplateError('missing value for command');
  return last;
}

function run(
  command: Command,
  scope: TemplateScope,
  piped: TemplateValue | undefined,
): TemplateValue {
  const [head, ...rest] = command;
  if (!head) throw new TemplateError('missing value for command');
  const args = rest.map((operand) => operandValue(operand, scope));
  if (piped !== undefined) args.push(piped);
  if (head.kind === 'call') return call(head.name, args, scope);
  if (args.length > 0) throw new TemplateError("can't give argument to non-function");
  return operandValue(head, scope);
}

function call(name: string, args: TemplateValue[], scope: TemplateScope): TemplateValue {
  const own = scope.functions;
  const found = own && Object.hasOwn(own, name) ? own[name] : undefined;
  const built = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
  const made = found ?? built;
  if (!made) throw new TemplateError(`function "${name}" not defined`);
  return made(...args);
}

function operandValue(operand: Operand, scope: TemplateScope): TemplateValue {
  switch (operand.kind) {
    case 'literal':
      return operand.value;
    case 'call':
      return call(operand.name, [], scope);
    case 'field':
      return operand.path.reduce(fieldOf, scope.data);
    case 'group':
      return operand.path.reduce(fieldOf, evaluate(operand.pipeline, scope));
  }
}
