import { describe, expect, it } from 'vitest';
import { checkEqualStores } from './equality.js';
import { ApplyOrder, Ledger, printOf } from './ledger.js';
import { TermChecker } from './terms.js';

const bytes = (text: string) => Buffer.from(text);

describe('TermChecker', () => {
  it('knows one leader in a term', () => {
    const terms = new TermChecker();
    terms.leads('m1', 1n);
    terms.leads('m1', 1n);
    terms.leads('m2', 2n);
    expect(() => terms.leads('m1', 2n)).toThrow('one-leader: m2 and m1 both lead in term 2');
  });

  it('knows one vote in a term', () => {
    const terms = new TermChecker();
    terms.votes(1n, 5n, 2n);
    terms.votes(1n, 5n, 2n);
    terms.votes(3n, 5n, 4n);
    terms.votes(1n, 6n, 4n);
    expect(() => terms.votes(1n, 5n, 4n)).toThrow('one-vote');
  });

  it('lets a term only go on', () => {
    const terms = new TermChecker();
    terms.termOf('m1', 3n);
    terms.termOf('m2', 1n);
    terms.termOf('m1', 3n);
    expect(() => terms.termOf('m1', 2n)).toThrow('term-goes-on');
  });
});

describe('Ledger', () => {
  it('holds one entry at an index and term', () => {
    const ledger = new Ledger();
    ledger.seen(7n, { term: 1n, print: 'a' });
    ledger.seen(7n, { term: 2n, print: 'b' });
    ledger.seen(7n, { term: 1n, print: 'a' });
    expect(() => ledger.seen(7n, { term: 1n, print: 'b' })).toThrow('log-matching');
  });

  it('has all machines apply the same', () => {
    const ledger = new Ledger();
    ledger.applied('m1', 1n, bytes('x'));
    ledger.applied('m2', 1n, bytes('x'));
    ledger.applied('m1', 2n, bytes('y'));
    expect(ledger.highest).toBe(2n);
    expect(() => ledger.applied('m2', 2n, bytes('z'))).toThrow('same-entries: m2');
  });

  it('has one machine apply in order', () => {
    const order = new ApplyOrder('m1');
    order.applied(1n);
    order.applied(5n);
    expect(() => order.applied(5n)).toThrow('apply-order');
  });

  it('tells bytes apart', () => {
    const prints = ['', 'a', 'b', 'ab', 'ba'].map((text) => printOf(bytes(text)));
    expect(new Set(prints).size).toBe(5);
  });
});

describe('checkEqualStores', () => {
  it('compares all with each other', () => {
    const stores = new Map([
      ['m1', bytes('same')],
      ['m2', bytes('same')],
    ]);
    checkEqualStores(new Map());
    checkEqualStores(stores);
    stores.set('m3', bytes('else'));
    expect(() => checkEqualStores(stores)).toThrow('equal-stores: m3');
  });
});
