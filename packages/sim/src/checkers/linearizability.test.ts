import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { History, type Input, type Operation } from './history.js';
import { checkLinearizable } from './linearizability.js';
import { NOTHING, step } from './model.js';

/** `'w1 (a) …'`: builds a history from calls and answers in the order written. */
class Script {
  readonly history = new History();
  readonly #open = new Map<string, Operation>();

  call(client: string, input: Input, key = 'k'): this {
    this.#open.set(client, this.history.call(client, key, input));
    return this;
  }

  answer(client: string, output?: string): this {
    this.history.answer(this.#open.get(client)!, output);
    return this;
  }

  /** A call answered before anything else happens. */
  alone(input: Input, output?: string, key = 'k'): this {
    return this.call('alone', input, key).answer('alone', output);
  }

  get verdict(): string {
    return checkLinearizable(this.history).kind;
  }
}

const read: Input = { kind: 'read' };
const write = (value: string): Input => ({ kind: 'write', value });
const append = (element: string): Input => ({ kind: 'append', element });
const cas = (from: string, to: string): Input => ({ kind: 'cas', from, to });

describe('checkLinearizable', () => {
  it('takes what happened one by one, and only when each read saw the last write', () => {
    expect(new Script().alone(write('1')).alone(read, '1').verdict).toBe('linearizable');
    expect(new Script().alone(read, NOTHING).verdict).toBe('linearizable');
    const stale = new Script().alone(write('1')).alone(write('2')).alone(read, '1');
    expect(stale.verdict).toBe('not linearizable');
    expect(new Script().alone(write('1')).alone(read, '9').verdict).toBe('not linearizable');
  });

  it('lets calls under way at one time take effect in any order', () => {
    const overlapping = (first: string, second: string) =>
      new Script()
        .call('a', write('1'))
        .call('b', write('2'))
        .alone(read, first)
        .answer('a')
        .answer('b')
        .alone(read, second);
    expect(overlapping('1', '2').verdict).toBe('linearizable');
    expect(overlapping('2', '1').verdict).toBe('linearizable');
    expect(overlapping(NOTHING, '1').verdict).toBe('linearizable');
    expect(overlapping('1', NOTHING).verdict).toBe('not linearizable');
  });

  it('finds a read that went back', () => {
    const script = new Script().alone(write('1')).call('w', write('2'));
    script.alone(read, '2').alone(read, '1').answer('w');
    expect(script.verdict).toBe('not linearizable');
  });

  it('lets what has no answer happen late or never', () => {
    const lost = () => new Script().alone(write('1')).call('w', write('2'));
    expect(lost().alone(read, '1').alone(read, '2').verdict).toBe('linearizable');
    expect(lost().alone(read, '1').alone(read, '1').verdict).toBe('linearizable');
    const back = lost().alone(read, '2').alone(read, '1');
    expect(back.verdict).toBe('not linearizable');
  });

  it('finds a lost and a doubled append, and a compare-and-set that cannot have been', () => {
    expect(new Script().alone(append('a')).alone(append('b'), 'a,b,').verdict).toBe(
      'not linearizable',
    );
    const list = () => new Script().alone(append('a'), 'a,').alone(append('b'), 'a,b,');
    expect(list().alone(read, 'a,b,').verdict).toBe('linearizable');
    expect(list().alone(read, 'b,').verdict).toBe('not linearizable');
    expect(list().alone(read, 'a,b,b,').verdict).toBe('not linearizable');
    expect(new Script().alone(write('1')).alone(cas('1', '2')).alone(read, '2').verdict).toBe(
      'linearizable',
    );
    const twice = new Script().alone(write('1')).alone(cas('1', '2')).alone(cas('1', '3'));
    expect(twice.verdict).toBe('not linearizable');
  });

  it('takes keys apart, and names the one that is wrong with the call that fits nowhere', () => {
    const script = new Script().alone(write('1'), undefined, 'a').alone(write('2'), undefined, 'b');
    script.alone(read, '1', 'a').alone(read, '1', 'b');
    const verdict = checkLinearizable(script.history);
    expect(verdict).toMatchObject({ kind: 'not linearizable', key: 'b' });
    expect(verdict).toMatchObject({ stuckAt: { input: read, output: '1' } });
  });

  it('gives up in bounded time', () => {
    const script = new Script();
    for (let n = 0; n < 40; n++) script.call(`c${n}`, append(String(n)));
    script.alone(read, '1,2,3,4,5,6,7,8,9,10,11,nonsense,');
    expect(checkLinearizable(script.history, 2_000).kind).toBe('unknown');
  });

  it('agrees with a search through all orders', () => {
    const input = fc.oneof(
      fc.constant(read),
      fc.constantFrom('1', '2').map(write),
      fc.constantFrom('a', 'b').map(append),
      fc.tuple(fc.constantFrom('1', '2'), fc.constantFrom('2', '3')).map(([a, b]) => cas(a, b)),
    );
    const call = fc.record({
      input,
      output: fc.constantFrom(NOTHING, '1', '2', '3', 'a,', '1a,'),
      start: fc.nat(10),
      length: fc.nat(5),
      isAnswered: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 5 }), (calls) => {
        const history = new History();
        calls.forEach(({ input: asked, output, start, length, isAnswered }, at) => {
          const calledAt = start * 100 + at;
          const returnedAt = isAnswered ? (start + length) * 100 + 50 + at : undefined;
          const place = { client: `c${at}`, key: 'k', calledAt, returnedAt };
          history.operations.push({ ...place, input: asked, output });
        });
        const expected = someOrderFits(history.operations, NOTHING);
        expect(checkLinearizable(history).kind === 'linearizable').toBe(expected);
      }),
      { numRuns: 1_500, seed: 1 },
    );
  });
});

/** The definition itself, tried out. */
function someOrderFits(left: readonly Operation[], state: string): boolean {
  if (left.every(({ returnedAt }) => returnedAt === undefined)) return true;
  return left.some((operation) => {
    const others = left.filter((other) => other !== operation);
    const mustWait = others.some(({ returnedAt }) => (returnedAt ?? Infinity) < operation.calledAt);
    const next = mustWait ? undefined : step(state, operation);
    return next !== undefined && someOrderFits(others, next);
  });
}
