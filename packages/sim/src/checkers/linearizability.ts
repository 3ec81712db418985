import type { History, Operation } from './history.js';
import { NOTHING, step } from './model.js';

export type Verdict =
  | { kind: 'linearizable' }
  /** No order explains the history of `key`; `stuckAt` stands after the longest order found. */
  | { kind: 'not linearizable'; key: string; operations: Operation[]; stuckAt: Operation }
  /** The search was given up: too many operations of unknown outcome. */
  | { kind: 'unknown'; key: string };

/** Steps of the search for one key before it is given up. */
const STEPS_MAX = 300_000;

/**
 * Whether a history of reads, writes, appends and compare-and-sets is linearizable. Keys are independent
 * (linearizability is local: Herlihy and Wing 1990, theorem 1), so each is searched alone.
 */
export function checkLinearizable(history: History, stepsMax = STEPS_MAX): Verdict {
  let verdict: Verdict = { kind: 'linearizable' };
  for (const [key, operations] of history.byKey()) {
    const found = new Search(operations, stepsMax).run();
    if (found === 'linearizable') continue;
    if (found === 'unknown') verdict = { kind: 'unknown', key };
    else return { kind: 'not linearizable', key, operations, stuckAt: found };
  }
  return verdict;
}

/** A call or an answer in the list of those not yet in the order. */
interface Mark {
  operation: number;
  /** Of a call that was answered: its answer. */
  answer: Mark | undefined;
  isCall: boolean;
  previous: Mark | undefined;
  next: Mark | undefined;
}

/**
 * Wing and Gong's search (1993) with Lowe's memory of what was tried (2017): calls that could come next are
 * put in order one by one; when an answer is met whose call is not in order yet, the last choice was wrong.
 * An operation of unknown outcome has no answer, so nothing forces it into the order.
 */
class Search {
  readonly #operations: readonly Operation[];
  readonly #stepsMax: number;
  readonly #tried = new Set<string>();
  readonly #chosen: { mark: Mark; state: string }[] = [];
  readonly #head: Mark;
  #ordered = 0n;
  #answersLeft = 0;
  #state = NOTHING;
  #longest = -1;
  #stuckAt: Operation | undefined;

  constructor(operations: readonly Operation[], stepsMax: number) {
    this.#operations = operations;
    this.#stepsMax = stepsMax;
    this.#head = this.#list();
  }

  #list(): Mark {
    const marks: { at: number; mark: Mark }[] = [];
    this.#operations.forEach(({ calledAt, returnedAt }, operation) => {
      const links = { previous: undefined, next: undefined };
      const answer: Mark = { operation, answer: undefined, isCall: false, ...links };
      const isAnswered = returnedAt !== undefined;
      const call = { ...answer, isCall: true, answer: isAnswered ? answer : undefined };
      marks.push({ at: calledAt, mark: call });
      if (returnedAt === undefined) return;
      marks.push({ at: returnedAt, mark: answer });
      this.#answersLeft++;
    });
    marks.sort((a, b) => a.at - b.at);
    const head: Mark = {
      ...{ operation: -1, answer: undefined, isCall: false },
      ...{ previous: undefined, next: undefined },
    };
    let last = head;
    for (const { mark } of marks) {
      mark.previous = last;
      last.next = mark;
      last = mark;
    }
    return head;
  }

  run(): 'linearizable' | 'unknown' | Operation {
    let mark = this.#head.next;
    for (let steps = 0; this.#answersLeft > 0; steps++) {
      if (steps > this.#stepsMax) return 'unknown';
      if (mark?.isCall) {
        mark = this.#choose(mark) ? this.#head.next : mark.next;
        continue;
      }
      this.#noteStuck(mark);
      const last = this.#chosen.pop();
      if (!last) return this.#stuckAt ?? (this.#operations[0] as Operation);
      mark = this.#takeBack(last);
    }
    return 'linearizable';
  }

  /** Puts a call next in order, unless the model or memory says that this leads nowhere. */
  #choose(mark: Mark): boolean {
    const next = step(this.#state, this.#operations[mark.operation] as Operation);
    if (next === undefined) return false;
    const ordered = this.#ordered | (1n << BigInt(mark.operation));
    const key = `${ordered.toString(36)}|${next}`;
    if (this.#tried.has(key)) return false;
    this.#tried.add(key);
    this.#chosen.push({ mark, state: this.#state });
    this.#state = next;
    this.#ordered = ordered;
    unlink(mark);
    if (mark.answer) {
      unlink(mark.answer);
      this.#answersLeft--;
    }
    return true;
  }

  #takeBack({ mark, state }: { mark: Mark; state: string }): Mark | undefined {
    this.#state = state;
    this.#ordered &= ~(1n << BigInt(mark.operation));
    if (mark.answer) {
      relink(mark.answer);
      this.#answersLeft++;
    }
    relink(mark);
    return mark.next;
  }

  #noteStuck(mark: Mark | undefined): void {
    if (!mark || this.#chosen.length <= this.#longest) return;
    this.#longest = this.#chosen.length;
    this.#stuckAt = this.#operations[mark.operation];
  }
}

function unlink({ previous, next }: Mark): void {
  if (previous) previous.next = next;
  if (next) next.previous = previous;
}

function relink(mark: Mark): void {
  if (mark.previous) mark.previous.next = mark;
  if (mark.next) mark.next.previous = mark;
}
