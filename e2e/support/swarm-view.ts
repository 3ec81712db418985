import { spawn } from 'node:child_process';
import { until } from './exec.ts';
import type { TestMachines } from './machines.ts';
import { IMAGE } from './sample.ts';

/** How long a state is waited for at most, ms: two cores may be busy with other things. */
export const PATIENCE_MS = 60_000;

/** What runs until it is removed, and ends at once then. */
export const IDLE = [IMAGE, 'sleep', '1000000'];

/** A task as any engine's API has it. */
export interface ApiTask {
  ID: string;
  NodeID: string;
  Slot?: number;
  DesiredState: string;
  Status: {
    State: string;
    Err?: string;
    Message: string;
    ContainerStatus?: { ContainerID: string; ExitCode?: number };
  };
}

/** What a running task's container is asked about most. */
export interface ApiContainer {
  Id: string;
  Name: string;
  Config: { Labels: Record<string, string>; Env: string[] };
  State: { Status: string; Health?: { Status: string } };
  HostConfig: Record<string, unknown>;
}

/** A swarm of machines as one of its managers shows it, be that ours or Docker's. */
export class SwarmView {
  readonly machines: TestMachines;
  /** The machine whose engine is asked. */
  manager: string;

  constructor(machines: TestMachines, manager: string) {
    this.machines = machines;
    this.manager = manager;
  }

  docker(...args: string[]): Promise<string> {
    return this.machines.docker(this.manager, ...args);
  }

  /** Creates a service whose image is on every machine; gives its id. */
  create(...args: string[]): Promise<string> {
    return this.docker('service', 'create', '-d', '-q', '--no-resolve-image', ...args);
  }

  update(...args: string[]): Promise<string> {
    return this.docker('service', 'update', '-d', '-q', '--no-resolve-image', ...args);
  }

  /** Removes services, and waits until nothing of them runs. */
  async remove(...services: string[]): Promise<void> {
    const ids = await Promise.all(services.map((name) => this.#idOf(name)));
    await this.docker('service', 'rm', ...services);
    await until(
      async () => (await this.machines.get<{ ServiceID: string }[]>(this.manager, '/tasks')) ?? [],
      (tasks) => !tasks.some((task) => ids.includes(task.ServiceID)),
      PATIENCE_MS,
    );
  }

  async #idOf(service: string): Promise<string> {
    return await this.docker('service', 'inspect', '-f', '{{.ID}}', service);
  }

  /** All tasks of a service, those of the past too. */
  tasks(service: string): Promise<ApiTask[]> {
    const filters = encodeURIComponent(JSON.stringify({ service: [service] }));
    return this.machines.get<ApiTask[]>(this.manager, `/tasks?filters=${filters}`);
  }

  /** Waits until exactly `count` tasks run and no other is to run. */
  running(service: string, count: number, timeoutMs = PATIENCE_MS): Promise<ApiTask[]> {
    return until(
      async () => (await this.tasks(service)).filter(isWanted),
      (tasks) => tasks.length === count && tasks.every(({ Status }) => Status.State === 'running'),
      timeoutMs,
    );
  }

  /** Container of each running task, in the order of their ids. */
  async containerIds(service: string, count: number): Promise<string[]> {
    const tasks = await this.running(service, count);
    return tasks.map(({ Status }) => Status.ContainerStatus?.ContainerID ?? '').sort();
  }

  /** Waits for a task that ended so; gives it. */
  async ended(service: string, state: string): Promise<ApiTask> {
    const tasks = await until(
      () => this.tasks(service),
      (all) => all.some(({ Status }) => Status.State === state),
      PATIENCE_MS,
    );
    return tasks.find(({ Status }) => Status.State === state) as ApiTask;
  }

  /** `STATUS AVAILABILITY MANAGERSTATUS VERSION` of a node, as `docker node ls` has it. */
  async node(hostname: string): Promise<string> {
    const columns = '{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}} ';
    const listed = await this.docker('node', 'ls', '--format', `${columns}{{.EngineVersion}}`);
    const line = listed.split('\n').find((text) => text.startsWith(`${hostname} `)) ?? '';
    return line.slice(hostname.length + 1);
  }

  /** Waits until a node's line of {@link node} matches. */
  untilNode(hostname: string, line: RegExp): Promise<string> {
    return until(
      async () => await this.node(hostname).catch((error: Error) => `? ${error.message}`),
      (text) => line.test(text),
      PATIENCE_MS,
    );
  }

  /** What `docker service logs` writes, on both streams, asked until it matches. */
  logs(matches: RegExp, ...args: string[]): Promise<string> {
    return until(
      async () => {
        const command = ['service', 'logs', ...args];
        const { stdout, stderr } = await this.machines.dockerResult(this.manager, command);
        return stdout + stderr;
      },
      (text) => matches.test(text),
      PATIENCE_MS,
    );
  }

  /** Runs `docker service logs --follow` until what it wrote matches. */
  async follow(matches: RegExp, ...args: string[]): Promise<string> {
    const host = ['-H', `unix://${this.machines.socket(this.manager)}`];
    const child = spawn('docker', [...host, 'service', 'logs', '--follow', ...args]);
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    try {
      return await until(
        async () => text,
        (seen) => matches.test(seen),
        PATIENCE_MS,
      );
    } finally {
      child.kill('SIGKILL');
    }
  }
}

function isWanted({ DesiredState }: ApiTask): boolean {
  return DesiredState === 'running' || DesiredState === 'ready';
}
