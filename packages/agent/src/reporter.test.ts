import { create } from '@bufbuild/protobuf';
import { SimClock, settle, silentLogger } from '@skep/platform';
import { TaskState, TaskStatusSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from './limits.js';
import { Reporter } from './reporter.js';

const { PREPARING, READY, STARTING, RUNNING } = TaskState;
const WAIT_MS = DEFAULT_LIMITS.reportDelayMsMax;

const status = (state: TaskState, err = '') => create(TaskStatusSchema, { state, err });

/** A reporter with a session, and what it sent: the states of each report. */
function setUp() {
  const clock = new SimClock();
  const reporter = new Reporter({ clock, logger: silentLogger, limits: DEFAULT_LIMITS });
  const sent: TaskState[][] = [];
  const attach = () =>
    reporter.attach(async (updates) => {
      sent.push(updates.map((update) => update.status.state));
    });
  attach();
  return { clock, reporter, sent, attach };
}

it('sends what is reported at any moment, also in the one in which it has just sent all', async () => {
  for (let turns = 0; turns < 12; turns++) {
    const { reporter, sent } = setUp();
    reporter.report('t1', status(RUNNING));
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    reporter.report('t2', status(RUNNING));
    await settle();
    expect(sent.flat()).toEqual([RUNNING, RUNNING]);
    expect(reporter.waiting).toBe(0);
  }
});

describe('a state on the way to RUNNING', () => {
  it('waits for company, but not for long', async () => {
    const { clock, reporter, sent } = setUp();
    reporter.report('t1', status(PREPARING));
    await clock.advance(WAIT_MS / 2);
    reporter.report('t2', status(PREPARING));
    await clock.advance(WAIT_MS / 2 - 1);
    expect(sent).toEqual([]);
    await clock.advance(1);
    expect(sent).toEqual([[PREPARING, PREPARING]]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is not told at all when the task is past it by then', async () => {
    const { clock, reporter, sent } = setUp();
    reporter.report('t1', status(PREPARING));
    await clock.advance(1);
    reporter.report('t1', status(READY));
    await clock.advance(WAIT_MS);
    expect(sent).toEqual([[READY]]);
  });

  it('goes along with what the swarm acts on, which does not wait', async () => {
    for (const urgent of [status(RUNNING), status(STARTING, 'no such image')]) {
      const { clock, reporter, sent } = setUp();
      reporter.report('t1', status(PREPARING));
      await settle();
      reporter.report('t2', urgent);
      await settle();
      expect(sent).toEqual([[PREPARING, urgent.state]]);
      expect(clock.pendingTimers).toBe(0);
    }
  });

  it('is told to the next session when one ends while it waits', async () => {
    const { clock, reporter, sent, attach } = setUp();
    reporter.report('t1', status(PREPARING));
    await settle();
    reporter.detach();
    await settle();
    expect(clock.pendingTimers).toBe(0);
    expect(reporter.waiting).toBe(1);
    attach();
    await clock.advance(WAIT_MS);
    expect(sent).toEqual([[PREPARING]]);
  });

  it('that is forgotten while it waits is not told', async () => {
    const { clock, reporter, sent } = setUp();
    reporter.report('t1', status(PREPARING));
    await settle();
    reporter.forget('t1');
    await clock.advance(WAIT_MS);
    expect(sent).toEqual([]);
    reporter.report('t2', status(RUNNING));
    await settle();
    expect(sent).toEqual([[RUNNING]]);
  });
});
