import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ContainerdClient,
  ContainerdSupervisor,
  connectContainerd,
  containerdPaths,
  probeContainerd,
  RealDetachedProcesses,
} from '@skep/containers';
import { RealClock, RealDisk, silentLogger } from '@skep/platform';

/** A containerd of a test's own, under one temporary directory. */
export interface TestContainerd {
  directory: string;
  containerd: ContainerdClient;
  supervisor: ContainerdSupervisor;
  /** Ends it and removes all it made. */
  dispose(): Promise<void>;
}

export async function startContainerd(namespace: string): Promise<TestContainerd> {
  const directory = mkdtempSync(join(tmpdir(), 'skep-containerd-'));
  const clock = new RealClock();
  const paths = containerdPaths(join(directory, 'data'), join(directory, 'exec'));
  const supervisor = new ContainerdSupervisor({
    paths,
    disk: new RealDisk(),
    processes: new RealDetachedProcesses(),
    probe: (socket) => probeContainerd(socket, clock),
    clock,
    logger: silentLogger,
  });
  const address = paths.socket;
  const containerd = connectContainerd({ address, namespace, clock, logger: silentLogger });
  const dispose = async () => {
    containerd.close();
    await supervisor.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await supervisor.start();
    await containerd.ready(AbortSignal.timeout(30_000));
  } catch (error) {
    await dispose();
    throw error;
  }
  return { directory, containerd, supervisor, dispose };
}
