import { Code } from '@skep/platform';
import { IssuanceStatus_State } from '@skep/wire/swarmkit';
import { expect, it } from 'vitest';
import { nodeOf } from '../testing/objects.sim.js';
import { WAITING_MAX } from './limits.js';
import { Waiters } from './waiters.js';

it('has room for so many callers, and again for each that leaves', async () => {
  const waiters = new Waiters();
  const abort = new AbortController();
  const wait = (nodeId: string) => waiters.wait(nodeId, new AbortController().signal);
  const first = waiters.wait('n', abort.signal);
  const object = nodeOf('n', { certificate: { status: { state: IssuanceStatus_State.ISSUED } } });
  const others = Array.from({ length: WAITING_MAX - 1 }, () => wait('n'));
  const full = { code: Code.RESOURCE_EXHAUSTED };
  await expect(wait('m')).rejects.toMatchObject(full);
  abort.abort();
  await expect(first).rejects.toMatchObject({ code: Code.CANCELED });
  const last = wait('n');
  waiters.onChange({ table: 'node', kind: 'create', object });
  expect(new Set(await Promise.all([...others, last]))).toEqual(new Set([object]));
  const again = Array.from({ length: WAITING_MAX }, () => wait('n'));
  waiters.onChange({ table: 'node', kind: 'create', object });
  await Promise.all(again);
});
