import { describe, expect, it } from 'vitest';
import { AFFINITY_LABEL, clientAffinity, DRAIN_LABEL, drainMs } from './service-labels.js';

describe('labels of a service', () => {
  it.each([
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['.5s', 500],
    ['0', 0],
    ['0s', 0],
    ['-2s', -2_000],
    ['+2s', 2_000],
  ])('say how long connections drain: %s', (text, ms) => {
    expect(drainMs({ [DRAIN_LABEL]: text })).toBeCloseTo(ms);
  });

  it.each(['', '30', 's', '30 s', '1s2', '--1s', 'forever', '1d', '1.2.3s'])(
    'say nothing with %j',
    (text) => expect(drainMs({ [DRAIN_LABEL]: text })).toBeUndefined(),
  );

  it('keep clients at their task only when they say so', () => {
    expect(clientAffinity({ [AFFINITY_LABEL]: 'client' })).toBe(true);
    expect(clientAffinity({ [AFFINITY_LABEL]: 'none' })).toBe(false);
    expect(clientAffinity({})).toBe(false);
    expect(drainMs({})).toBeUndefined();
  });
});
