import type { Random } from '@skep/platform';
import { UnknownOutcomeError } from '@skep/store';
import { append, type History, type Input, type Operation } from '../checkers/index.js';
import { Draw, type Timeline, ViolationError } from '../engine/index.js';
import { throwIfBroken } from './invariants.js';
import type { Life, RaftMachine } from './machine.js';
import { setValue, valueAt } from './objects.js';

/** A client gives up on an answer after this long; what it asked may happen all the same. */
const ANSWER_TIMEOUT_MS = 5_000;

/** How a key is used: appended to, or written and compared. */
const LIST_KEYS = ['list-a', 'list-b'];
const REGISTER_KEYS = ['register-a', 'register-b'];
export const KEYS = [...LIST_KEYS, ...REGISTER_KEYS];

export interface ClientOptions {
  name: string;
  timeline: Timeline;
  random: Random;
  history: History;
  machines: readonly RaftMachine[];
  /** Longest pause between two calls, ms. */
  pauseMsMax: number;
  /** The outcome of the write of a list's element. */
  onAppended(key: string, element: string): void;
  note(who: string, what: string): void;
}

type Outcome = { kind: 'done'; output: string | undefined } | { kind: 'refused' | 'unknown' };

/** Reads and writes through any manager, one call at a time, and writes down what came of it. */
export class Client {
  readonly #options: ClientOptions;
  readonly #draw: Draw;
  #written = 0;
  #isStopped = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#draw = new Draw(options.random);
  }

  stop(): void {
    this.#isStopped = true;
  }

  async run(): Promise<void> {
    const { timeline, pauseMsMax } = this.#options;
    while (!this.#isStopped) {
      await timeline.sleep(pauseMsMax * this.#draw.random.float());
      const life = this.#pickLife();
      if (life) await this.#call(life, ...this.#pickInput());
    }
  }

  /** A read, and for reads alone any manager; else whoever leads as far as it knows. */
  #pickLife(): Life | undefined {
    const lives = this.#options.machines.flatMap(({ life }) => (life?.isStarted ? [life] : []));
    if (lives.length === 0) return undefined;
    const leading = lives.filter(({ isLeading }) => isLeading);
    return this.#draw.pick(leading.length > 0 && this.#draw.chance(0.8) ? leading : lives);
  }

  #pickInput(): [string, Input] {
    const kind = this.#draw.weighted({ read: 5, append: 4, write: 2, cas: 2 });
    const value = `${this.#options.name}.${this.#written++}`;
    switch (kind) {
      case 'read':
        return [this.#draw.pick(KEYS), { kind }];
      case 'append':
        return [this.#draw.pick(LIST_KEYS), { kind, element: value }];
      case 'write':
        return [this.#draw.pick(REGISTER_KEYS), { kind, value }];
      case 'cas':
        return [this.#draw.pick(REGISTER_KEYS), { kind, from: '', to: value }];
    }
  }

  async #call(life: Life, key: string, input: Input): Promise<void> {
    const { name, history, note, onAppended } = this.#options;
    // A compare-and-set expects what this manager shows now: right unless somebody is faster.
    const asked = input.kind === 'cas' ? { ...input, from: valueAt(life.store.view, key) } : input;
    const operation = history.call(name, key, asked);
    const outcome = await this.#outcome(life, operation);
    if (outcome.kind === 'done') {
      history.answer(operation, outcome.output);
      if (asked.kind === 'append') onAppended(key, asked.element);
    } else if (outcome.kind === 'refused' || asked.kind === 'read') {
      history.forget(operation);
    }
    note(name, `${asked.kind} ${key} at ${life.name}: ${outcome.kind}`);
  }

  /** The call at a manager that may stand still, or die, before it answers. */
  #outcome(life: Life, operation: Operation): Promise<Outcome> {
    const { timeline } = this.#options;
    return new Promise((resolve, reject) => {
      const finish = (outcome: Outcome) => {
        giveUp();
        resolve(outcome);
      };
      const giveUp = timeline.after(ANSWER_TIMEOUT_MS, () => resolve({ kind: 'unknown' }));
      void life.ended.then(() => finish({ kind: 'unknown' }));
      life.clock.whenAwake(() => {
        perform(life, operation).then((outcome) => {
          life.clock.whenAwake(() => finish(outcome));
        }, reject);
      });
    });
  }
}

async function perform(life: Life, { key, input }: Operation): Promise<Outcome> {
  try {
    return { kind: 'done', output: await effect(life, key, input) };
  } catch (error) {
    throwIfBroken(life.name, error);
    return { kind: error instanceof UnknownOutcomeError ? 'unknown' : 'refused' };
  }
}

/** Resolves with what the client learns. */
async function effect(
  { node, store }: Life,
  key: string,
  input: Input,
): Promise<string | undefined> {
  switch (input.kind) {
    case 'read':
      await node.readBarrier();
      return valueAt(store.view, key);
    case 'write':
      return store.update((tx) => setValue(tx, key, input.value)).then(() => undefined);
    case 'append':
      return store.update((tx) => {
        const list = append(valueAt(tx, key), input.element);
        setValue(tx, key, list);
        return list;
      });
    case 'cas':
      return store.update((tx) => {
        if (valueAt(tx, key) !== input.from) throw new Error('somebody was faster');
        setValue(tx, key, input.to);
        return undefined;
      });
  }
}

/** Every element that was acknowledged is in its list, once. */
export function checkAppended(
  acknowledged: ReadonlyMap<string, readonly string[]>,
  listOf: (key: string) => string,
): void {
  for (const [key, elements] of acknowledged) {
    const list = listOf(key).split(',');
    for (const element of elements) {
      const times = list.filter((other) => other === element).length;
      if (times === 1) continue;
      throw new ViolationError(
        'acknowledged-writes',
        `${element} was written to ${key}, and is there ${times} times`,
      );
    }
  }
}
