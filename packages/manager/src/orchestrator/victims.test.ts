import { create } from '@bufbuild/protobuf';
import { completeObject, type TaskObject } from '@skep/wire';
import { TaskSchema, TaskState } from '@skep/wire/swarmkit';
import { expect, it } from 'vitest';
import { victims } from './victims.js';

/** `n1` runs on n1, `n1?` is on its way there, `` has no node yet, `x` has ended for good. */
function slotsFrom(text: string): Map<bigint, TaskObject[]> {
  const slots = new Map<bigint, TaskObject[]>();
  for (const [at, entry] of text.split(',').entries()) {
    const running = !entry.endsWith('?') && entry !== '' && entry !== 'x';
    const task = create(TaskSchema, {
      id: `t${at + 1}`,
      nodeId: entry.replace('?', '').replace('x', ''),
      desiredState: entry === 'x' ? TaskState.SHUTDOWN : TaskState.RUNNING,
      status: { state: running ? TaskState.RUNNING : TaskState.PENDING },
    });
    slots.set(BigInt(at + 1), [completeObject('task', task)]);
  }
  return slots;
}

it.each([
  ['n1,n2,n3', 0, ''],
  ['n1,n2,n3', 1, '3'],
  ['n1,n1,n2', 1, '2'],
  ['n1,n1,n1,n2', 2, '2 3'],
  ['n1,,n2', 1, '2'],
  ['n1?,n2,n3', 1, '1'],
  ['n1,n1,n2?', 1, '3'],
  ['n1,x,n2,n3', 1, '2'],
  ['n1?,n2?,', 1, '3'],
  ['n1,n2,n1,n2', 2, '3 4'],
  ['n1,n2', 5, '1 2'],
])('of %j, %i to give up: slots %j', (text, count, expected) => {
  const given = victims(slotsFrom(text), count).map(([task]) => Number(task?.id.slice(1)));
  expect(given.sort((a, b) => a - b).join(' ')).toBe(expected);
});
