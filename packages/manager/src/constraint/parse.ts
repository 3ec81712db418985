import { Code, RpcError } from '@skep/platform';
import type { Placement } from '@skep/wire/swarmkit';

export type ConstraintOperator = '==' | '!=';

/** One placement constraint: `node.labels.zone == eu`. */
export interface Constraint {
  /** As written; the part after `labels.` is told apart by letter case, the rest is not. */
  key: string;
  operator: ConstraintOperator;
  value: string;
}

const OPERATORS: readonly ConstraintOperator[] = ['==', '!='];
const KEY_PATTERN = /^[a-z_][a-z0-9\-_.]+$/i;
/** Leaves room for later operators: no `<`, `>`, `~`. */
const VALUE_PATTERN = /^[a-z0-9:\-_\t\n\f\r .*()?+[\]\\^$|/]+$/i;

/**
 * Parses placement constraints. Throws `RpcError` (UNKNOWN: SwarmKit gives these errors no code, so
 * the API answers 500) with Docker's text on the first one that is malformed (features.md 2.5).
 * Unknown keys are well-formed; they match no node.
 */
export function parseConstraints(expressions: readonly string[]): Constraint[] {
  return expressions.map(parseConstraint);
}

function parseConstraint(expression: string): Constraint {
  const operator = OPERATORS.find((candidate) => expression.includes(candidate));
  if (!operator) {
    throw invalid(`constraint expected one operator from ${OPERATORS.join(', ')}`);
  }
  const at = expression.indexOf(operator);
  const key = expression.slice(0, at).trim();
  const value = expression.slice(at + operator.length).trim();
  if (!KEY_PATTERN.test(key)) throw invalid(`key '${key}' is invalid`);
  if (!VALUE_PATTERN.test(value)) throw invalid(`value '${value}' is invalid`);
  return { key, operator, value };
}

function invalid(message: string): RpcError {
  return new RpcError(Code.UNKNOWN, message);
}

/** Stored placements never change in place, so what they parse to is kept with them. */
const parsed = new WeakMap<Placement, readonly Constraint[]>();

/**
 * The constraints of a stored placement. They were checked when they came in; should an unreadable
 * one be stored by another manager, none of that placement hold, as in SwarmKit's scheduler.
 */
export function constraintsOf(placement: Placement | undefined): readonly Constraint[] {
  if (!placement || placement.constraints.length === 0) return [];
  let constraints = parsed.get(placement);
  if (!constraints) {
    constraints = parseOrNone(placement.constraints);
    parsed.set(placement, constraints);
  }
  return constraints;
}

function parseOrNone(expressions: readonly string[]): Constraint[] {
  try {
    return parseConstraints(expressions);
  } catch (error) {
    if (error instanceof RpcError) return [];
    throw error;
  }
}
