/** Something happened that must never happen: what a run of the simulator looks for. */
export class ViolationError extends Error {
  /** Which promise was broken, as one word: `linearizability`, `one-leader`, … */
  readonly rule: string;

  constructor(rule: string, message: string) {
    super(`${rule}: ${message}`);
    this.name = 'ViolationError';
    this.rule = rule;
  }
}

/** Throws {@link ViolationError} unless `condition` holds. */
export function must(condition: unknown, rule: string, message: () => string): asserts condition {
  if (!condition) throw new ViolationError(rule, message());
}
