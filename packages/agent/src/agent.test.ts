import { create } from '@bufbuild/protobuf';
import { Code, RpcError, settle } from '@skep/platform';
import { NodeTLSInfoSchema, TaskState } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { makeAssignments, makeSessionMessage, makeTask } from './testing/objects.js';
import { setUpAgent } from './testing/setup.js';

const first = (...ids: string[]) =>
  makeAssignments({
    complete: true,
    resultsIn: '1',
    put: ids.map((id) => ({ task: makeTask(id) })),
  });

describe('Agent', () => {
  it('registers, beats at the period it is given, and configures the node once', async () => {
    const { agent, clock, executor, link } = await setUpAgent();
    expect(link.current.request).toMatchObject({
      sessionId: '',
      description: { hostname: 'host1' },
    });
    link.periodMs = 1_000;
    await clock.advance(5_000); // the period given at registration
    expect(link.heartbeats).toBe(2);
    await clock.advance(3_000);
    expect(link.heartbeats).toBe(5);
    link.current.session.push(makeSessionMessage('session1'));
    await settle();
    expect(executor.configured).toHaveLength(1);
    await agent.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('runs what it is assigned and reports that it does', async () => {
    const { agent, link } = await setUpAgent();
    link.current.assignments.push(first('t1'));
    await settle();
    expect(link.states('t1').at(-1)).toBe(TaskState.RUNNING);
    expect(link.reports.every((report) => report.sessionId === 'session1')).toBe(true);
    await agent.stop();
  });

  it('reports everything again after a new registration, under the old session id', async () => {
    const { agent, clock, executor, link } = await setUpAgent();
    link.current.assignments.push(first('t1', 't2'));
    await settle();
    link.reports.length = 0;
    link.current.session.end();
    await clock.advance(100);
    expect(link.sessions).toHaveLength(2);
    expect(link.current.request.sessionId).toBe('session1');
    expect(link.states('t1')).toEqual([TaskState.RUNNING]);
    expect(link.states('t2')).toEqual([TaskState.RUNNING]);
    expect(executor.of('t1').calls).toEqual(['prepare', 'start', 'wait']);
    await agent.stop();
  });

  it('keeps its tasks without a manager, backing off to 8 s, and tells what happened then', async () => {
    const { agent, clock, executor, link } = await setUpAgent();
    link.current.assignments.push(first('t1'));
    await settle();
    link.down = true;
    link.current.session.end();
    await clock.advance(60_000);
    executor.of('t1').finish('wait');
    await settle();
    link.reports.length = 0;
    link.down = false;
    await clock.advance(8_000);
    expect(link.states('t1').at(-1)).toBe(TaskState.COMPLETE);
    await agent.stop();
  });

  it('watches the tasks of the last run before it finds a manager', async () => {
    const before = await setUpAgent();
    before.link.current.assignments.push(first('t1'));
    await settle();
    await before.agent.stop();
    expect(before.executor.of('t1').count('remove')).toBe(0);
    const after = await setUpAgent({ down: true, disk: before.disk });
    expect(after.executor.of('t1').calls).toEqual(['wait']);
    await after.agent.stop();
  });

  it('ends the session when assignments have a gap, or the manager says nothing', async () => {
    const { agent, clock, link } = await setUpAgent();
    link.current.assignments.push(first());
    link.current.assignments.push(makeAssignments({ appliesTo: '2', resultsIn: '3' }));
    await clock.advance(100);
    expect(link.sessions).toHaveLength(2);
    link.onSession = () => {};
    link.current.session.end();
    await clock.advance(100);
    expect(link.sessions).toHaveLength(3);
    await clock.advance(6_000);
    expect(link.sessions.length).toBeGreaterThan(3);
    await agent.stop();
  });

  it('takes no assignment that comes once the session is over', async () => {
    const { agent, disk, link } = await setUpAgent();
    const stopped = agent.stop();
    link.current.assignments.push(first('t1'));
    await stopped;
    const again = await setUpAgent({ disk, down: true });
    expect(again.executor.restored).toEqual([[]]);
    await again.agent.stop();
  });

  it('turns away from a manager that hangs before three periods of silence are over', async () => {
    const { agent, clock, link } = await setUpAgent();
    link.periodMs = 1_000;
    await clock.advance(6_000);
    link.hangs = true;
    await clock.advance(2_400); // 1 to the next beat, 1.5 for its answer at most
    expect(link.sessions).toHaveLength(1);
    await clock.advance(300);
    expect(link.sessions).toHaveLength(2);
    await agent.stop();
  });

  it('looks for a manager at most a period apart once it knows the period', async () => {
    const { agent, clock, link } = await setUpAgent();
    link.periodMs = 1_000;
    await clock.advance(6_000);
    link.down = true;
    link.current.session.end();
    await clock.advance(60_000);
    link.down = false;
    await clock.advance(1_000);
    expect(link.sessions).toHaveLength(2);
    await agent.stop();
  });

  it('beats while the node still configures itself, and hears when the manager forgot it', async () => {
    const { agent, clock, executor, link } = await setUpAgent({ configures: false });
    link.periodMs = 1_000;
    await clock.advance(20_000);
    expect(link.heartbeats).toBeGreaterThan(10);
    expect(link.sessions).toHaveLength(1);
    link.heartbeatFailure = new RpcError(Code.NOT_FOUND, 'node not registered');
    await clock.advance(1_100);
    link.heartbeatFailure = undefined;
    executor.configures = true;
    await clock.advance(8_000);
    expect(link.sessions.length).toBeGreaterThan(1);
    link.current.assignments.push(first('t1'));
    await settle();
    expect(link.states('t1').at(-1)).toBe(TaskState.RUNNING);
    await agent.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('registers anew when the node changed', async () => {
    const { agent, clock, executor, link } = await setUpAgent();
    await clock.advance(20_000);
    expect(link.sessions).toHaveLength(1);
    executor.hostname = 'renamed';
    await clock.advance(20_100);
    expect(link.sessions).toHaveLength(2);
    expect(link.current.request.description?.hostname).toBe('renamed');
    await agent.stop();
  });

  it('registers anew at once when its certificate changed', async () => {
    const { agent, clock, link, tls } = await setUpAgent();
    tls.tell();
    await clock.advance(100);
    expect(link.sessions).toHaveLength(1);
    tls.info = create(NodeTLSInfoSchema, { certIssuerSubject: Buffer.from('another') });
    tls.tell();
    await clock.advance(100);
    expect(link.sessions).toHaveLength(2);
    expect(link.current.request).toMatchObject({
      sessionId: 'session1',
      description: { tlsInfo: { certIssuerSubject: Buffer.from('another') } },
    });
    await agent.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('removes every container when it leaves, and forgets its tasks', async () => {
    const { agent, disk, executor, link } = await setUpAgent();
    link.current.assignments.push(first('t1', 't2'));
    await settle();
    await agent.leave();
    expect(executor.of('t1').calls.at(-1)).toBe('remove');
    expect(executor.of('t2').closed).toBe(true);
    const after = await setUpAgent({ down: true, disk });
    expect(after.executor.controllers.size).toBe(0);
    await after.agent.stop();
  });
});

describe('reports of an agent', () => {
  it('go one at a time, with the last status of each task', async () => {
    const { agent, executor, link } = await setUpAgent();
    let open = () => {};
    link.reportGate = new Promise<void>((resolve) => {
      open = resolve;
    });
    link.current.assignments.push(first('t1', 't2', 't3'));
    await settle();
    for (const id of ['t1', 't2']) {
      executor.of(id).finish('wait');
      await settle();
    }
    expect(link.reports).toHaveLength(0);
    open();
    await settle();
    expect(link.reports).toHaveLength(2);
    expect(link.reports[1]?.updates).toHaveLength(3);
    expect(link.states('t1').at(-1)).toBe(TaskState.COMPLETE);
    await agent.stop();
  });

  it('are sent again when they failed', async () => {
    const { agent, clock, link } = await setUpAgent();
    const unavailable = () => new RpcError(Code.UNAVAILABLE, 'no leader');
    link.reportFailures = [unavailable(), unavailable()];
    link.current.assignments.push(first('t1'));
    await clock.advance(300);
    expect(link.states('t1')).toEqual([TaskState.RUNNING]);
    await agent.stop();
  });

  it('leave out a task that the manager refuses', async () => {
    const { agent, link } = await setUpAgent();
    const refused = () => new RpcError(Code.PERMISSION_DENIED, 'not your task');
    link.reportFailures = [refused(), refused()];
    link.current.assignments.push(first('t1', 't2'));
    await settle();
    expect(link.states('t2').at(-1)).toBe(TaskState.RUNNING);
    await agent.stop();
  });
});
