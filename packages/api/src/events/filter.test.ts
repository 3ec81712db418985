import { describe, expect, it } from 'vitest';
import { eventPasses } from './filter.js';
import { type ApiEvent, EventHub } from './hub.js';

const event: ApiEvent = {
  Type: 'container',
  Action: 'health_status: healthy',
  Actor: { ID: 'abcdef', Attributes: { image: 'busybox:latest', name: 'web', tier: 'front' } },
  scope: 'local',
  timeNano: 5n,
};

describe('eventPasses', () => {
  it.each([
    [{}, true],
    [{ type: ['container'] }, true],
    [{ type: ['image', 'container'], event: ['health_status'] }, true],
    [{ event: ['health'] }, false],
    [{ container: ['web'] }, true],
    [{ container: ['abc'] }, true],
    [{ service: ['web'] }, false],
    [{ label: ['tier'] }, true],
    [{ label: ['tier=back'] }, false],
    [{ image: ['busybox'] }, true],
    [{ scope: ['swarm'] }, false],
  ])('%j: %s', (filters, passes) => {
    expect(eventPasses(event, filters as unknown as Record<string, string[]>)).toBe(passes);
  });
});

describe('EventHub', () => {
  it('replays what is kept from an instant on, then goes on live', async () => {
    const hub = new EventHub();
    const stop = new AbortController();
    hub.publish({ ...event, timeNano: 1n });
    hub.publish({ ...event, timeNano: 2n });
    const stream = hub.open(2n, stop.signal);
    hub.publish({ ...event, timeNano: 3n });
    stop.abort();
    const times: bigint[] = [];
    for await (const { timeNano } of stream) times.push(timeNano);
    expect(times).toEqual([2n, 3n]);
  });
});
