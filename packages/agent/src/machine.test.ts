import { TaskState } from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterAction, isFinal, nextStep } from './machine.js';

const { ACCEPTED, ASSIGNED, COMPLETE, FAILED, PREPARING, READY, REJECTED } = TaskState;
const { REMOVE, RUNNING, SHUTDOWN, STARTING } = TaskState;

describe('nextStep', () => {
  it.each([
    [ASSIGNED, RUNNING, ACCEPTED, 'accepted'],
    [ACCEPTED, RUNNING, PREPARING, 'preparing'],
    [READY, RUNNING, STARTING, 'starting'],
    [ASSIGNED, READY, ACCEPTED, 'accepted'],
  ])('moves %i, wanted in %i, to %i saying %s', (state, desired, to, message) => {
    const transition = { state: to, message, error: '' };
    expect(nextStep(state, desired)).toEqual({ kind: 'move', transition });
  });

  it.each([
    [PREPARING, READY, 'prepare'],
    [STARTING, RUNNING, 'start'],
    [RUNNING, RUNNING, 'wait'],
    [RUNNING, COMPLETE, 'wait'],
    [ASSIGNED, SHUTDOWN, 'shutdown'],
    [READY, REMOVE, 'shutdown'],
    [RUNNING, SHUTDOWN, 'shutdown'],
  ])('in %i, wanted in %i, has the controller %s', (state, desired, action) => {
    expect(nextStep(state, desired)).toEqual({ kind: 'act', action });
  });

  it.each([
    [READY, READY],
    [RUNNING, READY],
    [COMPLETE, RUNNING],
    [FAILED, SHUTDOWN],
    [SHUTDOWN, REMOVE],
  ])('rests in %i when wanted in %i', (state, desired) => {
    expect(nextStep(state, desired)).toEqual({ kind: 'rest' });
  });
});

describe('afterAction', () => {
  it('rejects before STARTING and fails from there on, keeping the message', () => {
    const outcome = { ok: false, temporary: false, error: 'No such image: x' } as const;
    expect(afterAction(PREPARING, 'prepare', outcome)).toEqual({
      state: REJECTED,
      message: undefined,
      error: 'No such image: x',
    });
    expect(afterAction(STARTING, 'start', outcome)?.state).toBe(FAILED);
    expect(afterAction(RUNNING, 'wait', outcome)?.state).toBe(FAILED);
  });

  it('says what each success is called', () => {
    const message = (...of: Parameters<typeof afterAction>) => afterAction(...of)?.message;
    expect(message(PREPARING, 'prepare', { ok: true })).toBe('prepared');
    expect(message(STARTING, 'start', { ok: true })).toBe('started');
    expect(message(RUNNING, 'wait', { ok: true })).toBe('finished');
    expect(message(RUNNING, 'shutdown', { ok: true })).toBe('shutdown');
  });

  it('stays where it is on a temporary error', () => {
    expect(afterAction(PREPARING, 'prepare', { ok: false, temporary: true })).toBeUndefined();
  });

  it('only ever goes forward and ends, whatever is wanted and whatever happens', () => {
    const states = Object.values(TaskState).filter((value) => typeof value === 'number');
    const turn = fc.record({
      desired: fc.constantFrom(...states),
      outcome: fc.constantFrom(
        { ok: true as const },
        { ok: false as const, temporary: true as const },
        { ok: false as const, temporary: false as const, error: 'broken' },
      ),
    });
    const property = fc.property(fc.array(turn, { maxLength: 40 }), (turns) => {
      let state = ASSIGNED as TaskState;
      for (const { desired, outcome } of turns) {
        const step = nextStep(state, desired);
        if (isFinal(state)) expect(step.kind).toBe('rest');
        if (step.kind === 'rest') continue;
        const to =
          step.kind === 'move' ? step.transition : afterAction(state, step.action, outcome);
        if (!to) continue;
        expect(to.state).toBeGreaterThan(state);
        state = to.state;
      }
    });
    fc.assert(property);
  });
});
