import { settle } from '@skep/platform';
import { expect, it } from 'vitest';
import { KeyedMutex } from './keyed-mutex.js';
import { Semaphore } from './pull/semaphore.js';

it('lets one in at a time for a key, in order, and others past', async () => {
  const mutex = new KeyedMutex();
  const order: string[] = [];
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const first = mutex.run('a', async () => {
    await gate;
    order.push('first');
  });
  const second = mutex.run('a', async () => void order.push('second'));
  await mutex.run('b', async () => void order.push('other'));
  release();
  await Promise.all([first, second]);
  expect(order).toEqual(['other', 'first', 'second']);
});

it('goes on after a failure', async () => {
  const mutex = new KeyedMutex();
  const failing = mutex.run('a', async () => {
    throw new Error('no');
  });
  const next = mutex.run('a', async () => 'yes');
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('yes');
});

it('keeps a semaphore at its limit, also when work fails', async () => {
  const semaphore = new Semaphore(2);
  let running = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++running);
    await settle();
    running--;
    throw new Error('no');
  };
  await Promise.allSettled(Array.from({ length: 6 }, () => semaphore.run(work)));
  expect([most, running, semaphore.exhausted]).toEqual([2, 0, false]);
});
