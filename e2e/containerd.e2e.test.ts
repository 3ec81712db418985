import { readFileSync, writeFileSync } from 'node:fs';
import {
  ContainerdSupervisor,
  connectContainerd,
  containerdPaths,
  probeContainerd,
  RealDetachedProcesses,
} from '@skep/containers';
import { Code, RealClock, RealDisk, silentLogger } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startContainerd, type TestContainerd } from './support/containerd.js';
import { until } from './support/exec.js';

let test: TestContainerd;

beforeEach(async () => {
  test = await startContainerd('supervised');
});
afterEach(() => test.dispose());

const paths = () => containerdPaths(`${test.directory}/data`, `${test.directory}/exec`);

/** A supervisor as of a daemon that starts anew. */
function successor(): ContainerdSupervisor {
  const clock = new RealClock();
  return new ContainerdSupervisor({
    paths: paths(),
    disk: new RealDisk(),
    processes: new RealDetachedProcesses(),
    probe: (socket) => probeContainerd(socket, clock),
    clock,
    logger: silentLogger,
  });
}

describe('our own containerd', () => {
  it('is started again when it is killed, and listeners hear of it', async () => {
    const heard: string[] = [];
    test.containerd.events.subscribe({
      onDown: () => heard.push('down'),
      onResync: () => heard.push('resync'),
      onEvent: (event) => heard.push(event.kind),
    });
    const before = test.supervisor.pid as number;
    process.kill(before, 'SIGKILL');
    await until(
      async () => heard,
      (list) => list.join() === 'resync,down,resync',
    );
    expect(test.supervisor.pid).not.toBe(before);
    const target = { mediaType: 'x/y', digest: `sha256:${'0'.repeat(64)}`, size: 1 };
    await test.containerd.images.create({ name: 'docker.io/library/after:1', target });
    await until(
      async () => heard.at(-1),
      (last) => last === 'image-create',
    );
  });

  it('is taken over by the next daemon', async () => {
    const { pid } = test.supervisor;
    test.supervisor.detach();
    const next = successor();
    await next.start();
    expect(next.pid).toBe(pid);
    await next.stop();
    await expect(test.containerd.version()).rejects.toMatchObject({ code: Code.UNAVAILABLE });
  });

  it('is replaced when its configuration is another', async () => {
    const { pid } = test.supervisor;
    test.supervisor.detach();
    writeFileSync(paths().config, `${readFileSync(paths().config, 'utf8')}\n# changed\n`);
    const next = successor();
    await next.start();
    expect(next.pid).not.toBe(pid);
    await next.stop();
  });
});

describe('a client', () => {
  it('says that containerd cannot be reached', async () => {
    const client = connectContainerd({
      address: `${test.directory}/nobody.sock`,
      namespace: 'x',
      clock: new RealClock(),
      logger: silentLogger,
    });
    await expect(client.version()).rejects.toMatchObject({
      code: Code.UNAVAILABLE,
      message: expect.stringMatching(/^containerd cannot be reached at /),
    });
    client.close();
  });

  it('resumes an upload where it stopped, and checks what it stored', async () => {
    const { content, leases } = test.containerd;
    await leases.create('upload', { expireMs: 60_000 });
    const leased = test.containerd.withLease('upload').content;
    const first = await leased.openWriter({ ref: 'half' });
    await first.write(Buffer.from('hello '));
    await expect(leased.openWriter({ ref: 'half' })).rejects.toMatchObject({
      code: Code.UNAVAILABLE,
    });
    first.close();
    const second = await until(
      () => leased.openWriter({ ref: 'half' }).catch(() => undefined),
      (writer) => writer !== undefined,
    );
    expect(second?.offset).toBe(6);
    await second?.write(Buffer.from('world'));
    const digest = (await second?.commit({ size: 11 })) as string;
    expect(Buffer.from(await content.readAll(digest, 100)).toString()).toBe('hello world');
    await expect(content.readAll(digest, 10)).rejects.toThrow('is larger than 10 bytes');
    const wrong = await leased.openWriter({ ref: 'wrong' });
    await wrong.write(Buffer.from('x'));
    const failing = wrong.commit({ size: 1, expected: `sha256:${'0'.repeat(64)}` });
    await expect(failing).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
  });
});
