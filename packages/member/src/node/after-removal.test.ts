import type { NodeRole } from '@skep/ca';
import { SimClock } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { REMOVED_ROLE_WAIT_MS } from '../limits.js';
import { awaitRole } from './after-removal.js';

describe('a manager that was removed from Raft', () => {
  let clock: SimClock;
  let state: { role: NodeRole; desired: NodeRole; renewedMs: number | undefined };
  let asked: number;
  let isDone: boolean;
  const abort = new AbortController();
  const listeners = new Set<() => void>();

  beforeEach(async () => {
    clock = new SimClock();
    state = { role: 'manager', desired: 'manager', renewedMs: undefined };
    asked = 0;
    isDone = false;
    await clock.advance(1_000);
    const node = {
      clock,
      role: () => state.role,
      desiredRole: () => state.desired,
      renewedMs: () => state.renewedMs,
      renew: () => void asked++,
      onChange: (listener: () => void) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    };
    void awaitRole(node, clock.monotonic(), abort.signal).then(() => {
      isDone = true;
    });
    await clock.advance(1_000);
  });

  async function change(to: Partial<typeof state>): Promise<void> {
    Object.assign(state, to);
    for (const listener of [...listeners]) listener();
    await clock.advance(1);
  }

  it('waits for its new role, which mostly comes at once', async () => {
    await change({ desired: 'worker' });
    expect(isDone).toBe(false);
    await change({ role: 'worker', renewedMs: clock.monotonic() });
    expect([isDone, asked, clock.pendingTimers, listeners.size]).toEqual([true, 0, 0, 0]);
  });

  it('may join again at once when it was promoted meanwhile', async () => {
    await change({ desired: 'worker' });
    await change({ renewedMs: clock.monotonic() });
    expect(isDone).toBe(false);
    await change({ desired: 'manager' });
    expect([isDone, asked]).toEqual([true, 0]);
  });

  it('does not take a certificate from before the removal for an answer', async () => {
    await change({ renewedMs: 500 });
    expect(isDone).toBe(false);
  });

  it('asks what it is when nobody says so, and does not wait for ever', async () => {
    await clock.advance(REMOVED_ROLE_WAIT_MS);
    expect([isDone, asked]).toEqual([false, 1]);
    await clock.advance(REMOVED_ROLE_WAIT_MS);
    expect([isDone, asked, clock.pendingTimers]).toEqual([true, 1, 0]);
  });
});
