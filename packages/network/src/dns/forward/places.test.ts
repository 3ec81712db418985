import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Places, type Waiting } from './places.js';

class Question implements Waiting {
  abandoned = false;
  abandon(): void {
    this.abandoned = true;
  }
}

function fill(places: Places, containerId: string, count: number): Question[] {
  const questions = Array.from({ length: count }, () => new Question());
  return questions.filter((question) => places.take(containerId, question));
}

describe('places', () => {
  it('are as many as there are', () => {
    const places = new Places(4);
    const [first] = fill(places, 'a', 5);
    expect(places.count).toBe(4);
    places.give('a', first as Question);
    places.give('a', first as Question);
    expect(places.count).toBe(3);
    expect(places.take('a', new Question())).toBe(true);
  });

  it('go from a flood to whoever has less, the oldest first', () => {
    const places = new Places(4);
    const flood = fill(places, 'a', 4);
    expect(fill(places, 'b', 1)).toHaveLength(1);
    expect(flood.map(({ abandoned }) => abandoned)).toEqual([true, false, false, false]);
    expect(fill(places, 'b', 2)).toHaveLength(1);
    expect(fill(places, 'a', 1)).toHaveLength(0);
    expect(places.count).toBe(4);
  });

  it('are free again when a container is gone', () => {
    const places = new Places(4);
    const questions = fill(places, 'a', 3);
    places.clear('a');
    expect(questions.every(({ abandoned }) => abandoned)).toBe(true);
    expect(places.count).toBe(0);
  });

  it('are never more, and no container that waits has less than its share', () => {
    const asking = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 200 });
    fc.assert(
      fc.property(asking, (containers) => {
        const places = new Places(12);
        const waiting = new Map<string, Question[]>();
        const counts = () =>
          new Map([...waiting].map(([id, list]) => [id, list.filter((q) => !q.abandoned).length]));
        for (const id of containers) {
          const before = counts().get(id) ?? 0;
          const question = new Question();
          const taken = places.take(id, question);
          if (taken) waiting.set(id, [...(waiting.get(id) ?? []), question]);
          if (!taken) expect(before).toBeGreaterThanOrEqual(12 / 4 - 1);
          expect(places.count).toBeLessThanOrEqual(12);
          expect([...counts().values()].reduce((sum, count) => sum + count, 0)).toBe(places.count);
        }
      }),
    );
  });
});
