import type { Control } from '@skep/manager';
import { Code, RpcError } from '@skep/platform';
import { Control as ControlMethods } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { isRead, withFreshReads } from './fresh-reads.js';

const methods = ControlMethods.methods.map(({ localName }) => localName);

/** A control that notes what it is asked. */
function noting(log: string[]): Control {
  const entries = methods.map((name) => [name, async () => void log.push(name)]);
  return Object.fromEntries(entries) as Control;
}

const ask = (control: Control, name: string) => control[name as keyof Control]({} as never);

describe('reads of the leader', () => {
  it('each wait for the barrier; writes do not', async () => {
    const log: string[] = [];
    const control = withFreshReads(noting(log), async () => void log.push('barrier'));
    for (const name of methods) await ask(control, name);
    expect(log).toEqual(methods.flatMap((name) => (isRead(name) ? ['barrier', name] : [name])));
    expect(log.filter((entry) => entry === 'barrier').length).toBeGreaterThan(10);
  });

  it('are refused when nobody confirms that it leads', async () => {
    const log: string[] = [];
    const refusal = new RpcError(Code.UNAVAILABLE, 'raft: no leader');
    const control = withFreshReads(noting(log), () => Promise.reject(refusal));
    await expect(ask(control, 'listServices')).rejects.toBe(refusal);
    expect(log).toEqual([]);
  });
});
