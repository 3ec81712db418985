import type { Channel } from '@skep/rpc';
import { CA, Control } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import type { LeaderRooms } from './leader-rooms.js';
import type { MoveSignals } from './move-watch.js';
import { userFace } from './user-face.js';

const signal = new AbortController().signal;
const SIGNALS: MoveSignals = { unsentSignal: signal, signal };

/** The face of a manager for which `leader` leads; `reads` tells of each call whether it may be repeated. */
function faceOf(leader: object) {
  const reads: boolean[] = [];
  const to = leader as LeaderRooms | Channel;
  const face = userFace({
    ownAddress: '10.0.0.2:2377',
    finder: {
      leader: async () => to,
      call: (isRead, fn) => {
        reads.push(isRead);
        return fn(to, () => SIGNALS);
      },
    },
  });
  return { face, reads };
}

/** A channel that notes what is asked, and answers that. */
function channelThat(answer: object) {
  const calls: unknown[][] = [];
  const unary = async (...call: unknown[]) => {
    calls.push(call);
    return answer;
  };
  return { calls, unary };
}

describe('what users ask of a manager', () => {
  const key = new Uint8Array([1, 2, 3]);

  it('is answered by its own rooms while it leads', async () => {
    const { face, reads } = faceOf({
      control: { listNodes: async () => ({ nodes: ['n1'] }) },
      authority: { getUnlockKey: async () => ({ unlockKey: key }) },
    });
    expect(await face.control.listNodes({} as never)).toEqual({ nodes: ['n1'] });
    expect(await face.unlockKey()).toBe(key);
    expect(reads).toEqual([true, true]);
  });

  it('goes to the leader otherwise, under its own name: the unlock key too, which may have changed', async () => {
    const channel = channelThat({ unlockKey: key });
    const { face, reads } = faceOf(channel);
    await face.control.createService({} as never);
    expect(await face.unlockKey()).toBe(key);
    expect(reads).toEqual([false, true]);
    const options = expect.objectContaining({
      forwarded: { caller: 'own', redirectedBy: '10.0.0.2:2377' },
      ...SIGNALS,
    });
    expect(channel.calls).toEqual([
      [Control.method.createService, {}, options],
      [CA.method.getUnlockKey, {}, options],
    ]);
  });
});
