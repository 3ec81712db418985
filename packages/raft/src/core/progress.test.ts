import { describe, expect, it } from 'vitest';
import { Inflights } from './inflights.js';
import { Progress } from './progress.js';

/** Probing at 10. */
const probing = () => new Progress(10n, 2);

function replicating(match = 9n): Progress {
  const progress = probing();
  progress.acknowledge(match);
  return progress;
}

describe("a follower's progress", () => {
  it('is probed by one append at a time', () => {
    const progress = probing();
    progress.sent(12n, 0n);
    expect(progress).toMatchObject({ state: 'probe', next: 10n, canSend: false });
    progress.heard(12n);
    expect(progress.canSend).toBe(true);
  });

  it('streams from the first acknowledgement on', () => {
    const progress = probing();
    progress.sent(12n, 0n);
    expect(progress.acknowledge(12n)).toBe(true);
    expect(progress).toMatchObject({ state: 'replicate', match: 12n, next: 13n });
    expect(progress.acknowledge(12n)).toBe(false);
    expect(progress.acknowledge(3n)).toBe(false);
    expect(progress.match).toBe(12n);
  });

  it('has so many appends under way, and not more', () => {
    const progress = replicating();
    progress.sent(10n, 0n);
    progress.sent(11n, 0n);
    expect(progress.canSend).toBe(false);
    progress.acknowledge(10n);
    expect(progress).toMatchObject({ canSend: true, next: 12n });
  });

  it('probes again from where it is known to be when an append did not fit, or got lost', () => {
    for (const lose of [(p: Progress) => p.reject(11n, 9n), (p: Progress) => p.lost()]) {
      const progress = replicating();
      progress.sent(12n, 0n);
      lose(progress);
      expect(progress).toMatchObject({ state: 'probe', next: 10n, canSend: true });
    }
  });

  it('ignores stale refusals', () => {
    const progress = replicating();
    progress.reject(9n, 5n);
    expect(progress.state).toBe('replicate');
    const other = probing();
    other.reject(3n, 1n);
    expect(other.next).toBe(10n);
  });

  it('goes back by the hint, but never before what is known to match, nor before the log', () => {
    const progress = probing();
    progress.reject(9n, 4n);
    expect(progress.next).toBe(5n);
    progress.reject(4n, 4n);
    expect(progress.next).toBe(4n);
    progress.reject(3n, 0n);
    expect(progress.next).toBe(1n);
    const known = replicating(7n);
    known.probe();
    known.reject(7n, 2n);
    expect(known.next).toBe(8n);
  });

  it('waits for the fate of a snapshot, and then for an answer', () => {
    const progress = probing();
    progress.sendSnapshot(20n);
    expect(progress.canSend).toBe(false);
    progress.heard(30n);
    progress.reject(9n, 1n);
    progress.lost();
    expect(progress).toMatchObject({ state: 'snapshot', canSend: false });
    progress.snapshotSent(true);
    expect(progress).toMatchObject({ state: 'probe', next: 21n, canSend: false });
    progress.snapshotSent(false);
    expect(progress.next).toBe(21n);
  });

  it('probes from before when the snapshot was not delivered', () => {
    const progress = probing();
    progress.acknowledge(4n);
    progress.sendSnapshot(20n);
    progress.snapshotSent(false);
    expect(progress).toMatchObject({ state: 'probe', next: 5n });
  });

  it('streams when the snapshot is acknowledged before anybody reports', () => {
    const progress = probing();
    progress.sendSnapshot(20n);
    progress.acknowledge(10n);
    expect(progress.state).toBe('snapshot');
    progress.acknowledge(20n);
    expect(progress).toMatchObject({ state: 'replicate', next: 21n });
  });
});

describe('appends under way', () => {
  it('are freed up to an index, and wrap around', () => {
    const inflights = new Inflights(3);
    for (let index = 1n; index <= 20n; index++) {
      inflights.add(index);
      inflights.freeUpTo(index - 2n);
      expect(inflights.count).toBe(index === 1n ? 1 : 2);
    }
    inflights.add(21n);
    expect(inflights.isFull).toBe(true);
    expect(() => inflights.add(22n)).toThrow(/too many/);
    inflights.freeFirst();
    inflights.freeUpTo(100n);
    inflights.freeFirst();
    expect(inflights.count).toBe(0);
    expect(() => new Inflights(0)).toThrow();
  });
});
