import { describe, expect, it } from 'vitest';
import { Holdings } from './holdings.js';

describe('Holdings', () => {
  it('finds a member that asks for votes without what it acknowledged', () => {
    const holdings = new Holdings();
    holdings.committed(5n, 2n);
    holdings.acknowledged(1n, 2n, 5n);
    holdings.campaigns(1n, 5n);
    holdings.campaigns(2n, 3n);
    expect(() => holdings.campaigns(1n, 4n)).toThrow('acknowledged-stays');
  });

  it('finds a member that refuses what it acknowledged', () => {
    const holdings = new Holdings();
    holdings.committed(5n, 2n);
    holdings.acknowledged(1n, 2n, 5n);
    holdings.refuses(1n, 6n);
    expect(() => holdings.refuses(1n, 5n)).toThrow('acknowledged-stays');
  });

  it('counts what is committed only after it was acknowledged', () => {
    const holdings = new Holdings();
    holdings.acknowledged(1n, 2n, 5n);
    holdings.acknowledged(2n, 1n, 5n);
    holdings.campaigns(1n, 4n);
    holdings.committed(5n, 2n);
    holdings.campaigns(2n, 4n);
    expect(() => holdings.campaigns(1n, 4n)).toThrow('acknowledged-stays');
  });

  it('counts what is committed alone, and only to leaders that hold it', () => {
    const holdings = new Holdings();
    holdings.committed(5n, 2n);
    holdings.acknowledged(1n, 3n, 9n);
    holdings.campaigns(1n, 5n);
    holdings.acknowledged(2n, 1n, 9n);
    holdings.campaigns(2n, 2n);
    expect(() => holdings.campaigns(1n, 4n)).toThrow('acknowledged-stays');
  });
});
