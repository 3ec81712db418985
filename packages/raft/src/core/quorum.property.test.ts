import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { larger } from './bigints.js';
import { quorumIndex, quorumOf, tally } from './quorum.js';

const indexes = fc.array(fc.bigInt({ min: 0n, max: 1n << 63n }), { minLength: 1, maxLength: 9 });
const ids = fc.uniqueArray(fc.bigInt({ min: 1n, max: 1n << 63n }), { minLength: 1, maxLength: 9 });

describe('a quorum', () => {
  it('is the fewest of whom any two groups meet', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (count) => {
        const quorum = quorumOf(count);
        expect(2 * quorum).toBeGreaterThan(count);
        expect(2 * (quorum - 1)).toBeLessThanOrEqual(count);
      }),
    );
  });

  it('of a configuration meets every quorum of one with a voter more or less', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (count) => {
        // All voters of both configurations are count + 1.
        expect(quorumOf(count) + quorumOf(count + 1)).toBeGreaterThan(count + 1);
      }),
    );
  });

  it('has reached the largest index that enough voters have reached', () => {
    fc.assert(
      fc.property(indexes, (reached) => {
        const holders = (index: bigint) => reached.filter((each) => each >= index).length;
        const candidates = reached.filter((index) => holders(index) >= quorumOf(reached.length));
        const expected = candidates.reduce(larger, 0n);
        expect(quorumIndex([...reached])).toBe(expected);
      }),
    );
  });

  it('does not depend on order, and never goes back when a voter goes ahead', () => {
    fc.assert(
      fc.property(indexes, fc.nat(), fc.bigInt({ min: 0n, max: 1000n }), (reached, which, step) => {
        const before = quorumIndex([...reached]);
        expect(quorumIndex([...reached].reverse())).toBe(before);
        const ahead = [...reached];
        ahead[which % ahead.length]! += step;
        expect(quorumIndex(ahead) >= before).toBe(true);
      }),
    );
  });

  it('does not exist without voters', () => {
    expect(quorumIndex([])).toBe(0n);
    expect(tally(new Set(), new Map([[1n, true]]))).toBe('lost');
  });

  it('wins with enough votes, loses when enough cannot come any more, and counts voters only', () => {
    fc.assert(
      fc.property(
        ids,
        fc.infiniteStream(fc.constantFrom(true, false, undefined)),
        (all, stream) => {
          const voters = new Set(all);
          const given = new Map<bigint, boolean>([[0n, true]]);
          for (const voter of voters) {
            const { value } = stream.next();
            if (value !== undefined) given.set(voter, value);
          }
          const granted = all.filter((voter) => given.get(voter) === true).length;
          const open = all.filter((voter) => !given.has(voter)).length;
          const quorum = quorumOf(all.length);
          const expected = granted >= quorum ? 'won' : granted + open >= quorum ? 'open' : 'lost';
          expect(tally(voters, given)).toBe(expected);
        },
      ),
    );
  });
});
