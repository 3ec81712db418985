import { create } from '@bufbuild/protobuf';
import { SimClock, settle, silentLogger } from '@skep/platform';
import { TaskState, TaskStatusSchema } from '@skep/wire/swarmkit';
import { expect, it } from 'vitest';
import { DEFAULT_LIMITS } from './limits.js';
import { Reporter } from './reporter.js';

const status = (state: TaskState) => create(TaskStatusSchema, { state });

it('sends what is reported at any moment, also in the one in which it has just sent all', async () => {
  for (let turns = 0; turns < 12; turns++) {
    const reporter = new Reporter({
      clock: new SimClock(),
      logger: silentLogger,
      limits: DEFAULT_LIMITS,
    });
    const sent: TaskState[] = [];
    reporter.attach(async (updates) => {
      sent.push(...updates.map((update) => update.status.state));
    });
    reporter.report('t1', status(TaskState.STARTING));
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    reporter.report('t1', status(TaskState.RUNNING));
    await settle();
    expect(sent.at(-1)).toBe(TaskState.RUNNING);
    expect(reporter.waiting).toBe(0);
  }
});
