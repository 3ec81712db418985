import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { completeObject } from '@skep/wire';
import { ServiceSchema, TaskSchema, type TaskStatusSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { paused, rolledBack } from './status.js';

const service = completeObject(
  'service',
  create(ServiceSchema, { id: 's1', previousSpec: { annotations: { name: 'web' } } }),
);

function failed(status: MessageInitShape<typeof TaskStatusSchema>) {
  return completeObject('task', create(TaskSchema, { id: 't1', status }));
}

function exited(lastLine: string) {
  const container = { exitCode: 3, lastLine };
  return failed({
    err: 'task: non-zero exit (3)',
    runtimeStatus: { case: 'container', value: container },
  });
}

describe('the message of an update that stopped', () => {
  const docker = 'due to failure or early termination of task t1';
  const message = (task: ReturnType<typeof failed>) => paused(service, task).updateStatus?.message;

  it('is Docker’s, then the error with its exit code, then what was printed last', () => {
    const text = `${docker}: task: non-zero exit (3); last log line: no database`;
    expect(message(exited('no database'))).toBe(`update paused ${text}`);
    const back = rolledBack(service, exited('no database')).updateStatus?.message;
    expect(back).toBe(`update rolled back ${text}`);
  });

  it('leaves out what is not known', () => {
    expect(message(exited(''))).toBe(`update paused ${docker}: task: non-zero exit (3)`);
    expect(message(failed({}))).toBe(`update paused ${docker}`);
  });

  it('is bounded, whatever a node reports', () => {
    expect(message(exited('x'.repeat(100_000)))?.length).toBeLessThan(600);
    expect(message(failed({ err: 'x'.repeat(100_000) }))?.length).toBeLessThan(600);
  });
});
