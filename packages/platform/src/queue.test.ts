import { describe, expect, it } from 'vitest';
import { BoundedQueue } from './queue.js';

async function drain<T>(queue: BoundedQueue<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of queue) items.push(item);
  return items;
}

describe('BoundedQueue', () => {
  it('gives items in order, also those pushed while reading', async () => {
    const queue = new BoundedQueue<number>(8);
    queue.push(1);
    const all = drain(queue);
    queue.push(2);
    await Promise.resolve();
    queue.push(3);
    queue.end();
    expect(await all).toEqual([1, 2, 3]);
  });

  it('fails its reader when the bound is passed', async () => {
    const queue = new BoundedQueue<number>(2);
    queue.push(1);
    queue.push(2);
    expect(queue.push(3)).toBe(false);
    await expect(drain(queue)).rejects.toThrow('more than 2 items');
  });

  it('ends with the given error, and takes nothing more once its reader left', async () => {
    const queue = new BoundedQueue<number>(2);
    queue.push(1);
    queue.end(new Error('gone'));
    await expect(drain(queue)).rejects.toThrow('gone');
    expect(queue.push(2)).toBe(false);
  });
});
