import { type DaemonSettings, NODE_ADDRESS, TestDaemon } from './daemon.ts';
import { until } from './exec.ts';
import { sampleArchive } from './sample.ts';

/** A daemon with the sample image, and with a swarm of one unless told otherwise. */
export async function startNode(
  settings: DaemonSettings & { swarm?: boolean } = {},
): Promise<TestDaemon> {
  const node = new TestDaemon(settings);
  try {
    await node.prepare();
    await node.start();
    await node.docker('load', '-q', '-i', sampleArchive());
    if (settings.swarm !== false) {
      await node.docker('swarm', 'init', '--advertise-addr', NODE_ADDRESS);
    }
  } catch (error) {
    await node.cleanUp();
    throw error;
  }
  return node;
}

export interface ApiTask {
  ID: string;
  Slot: number;
  DesiredState: string;
  Status: {
    State: string;
    Err?: string;
    Message: string;
    ContainerStatus?: { ContainerID: string; PID: number; ExitCode: number };
    PortStatus?: { Ports?: { PublishedPort: number }[] };
  };
  Spec: { ContainerSpec: { Image: string; Env?: string[] } };
}

/** Tasks of a service, as the API has them. */
export function tasksOf(node: TestDaemon, service: string): Promise<ApiTask[]> {
  const filters = encodeURIComponent(JSON.stringify({ service: [service] }));
  return node.get<ApiTask[]>(`/tasks?filters=${filters}`);
}

/** Waits until exactly `count` tasks are running and none else is to run. */
export function running(node: TestDaemon, service: string, count: number): Promise<ApiTask[]> {
  return until(
    async () => (await tasksOf(node, service)).filter((task) => task.DesiredState === 'running'),
    (tasks) => tasks.length === count && tasks.every((task) => task.Status.State === 'running'),
  );
}

/** The one container of a service that has one task. */
export async function containerOf(node: TestDaemon, service: string): Promise<string> {
  const [task] = await running(node, service, 1);
  return task?.Status.ContainerStatus?.ContainerID ?? '';
}
