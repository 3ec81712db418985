import { tasks, taskTypes } from '@skep/wire/containerd';
import type { Connection } from '../connection.js';
import type { TasksApi } from '../containerd.js';
import type { ExitState, ProcessIo, ProcessState, ProcessStatus } from '../types.js';
import { anyFromRuncOptions, anyFromSpec, timestampNs } from './encoding.js';

const { method } = tasks.Tasks;

const STATUS: Record<taskTypes.Status, ProcessStatus> = {
  [taskTypes.Status.UNKNOWN]: 'unknown',
  [taskTypes.Status.CREATED]: 'created',
  [taskTypes.Status.RUNNING]: 'running',
  [taskTypes.Status.STOPPED]: 'stopped',
  [taskTypes.Status.PAUSED]: 'paused',
  [taskTypes.Status.PAUSING]: 'pausing',
};

/**
 * Get names the container in `containerId` and the exec in `id`; List puts the container into `id`
 * and leaves `containerId` empty. Hence the caller says which container it asked for.
 */
function processFromWire(wire: taskTypes.Process, containerId: string): ProcessState {
  return {
    containerId,
    execId: wire.id === containerId ? '' : wire.id,
    pid: wire.pid,
    status: STATUS[wire.status] ?? 'unknown',
    exitStatus: wire.exitStatus,
    exitedNs: timestampNs(wire.exitedAt),
  };
}

function exitFromWire(wire: tasks.DeleteResponse | tasks.WaitResponse): ExitState {
  return { exitStatus: wire.exitStatus, exitedNs: timestampNs(wire.exitedAt) };
}

function ioToWire(io: ProcessIo) {
  return {
    stdin: io.stdin ?? '',
    stdout: io.stdout ?? '',
    stderr: io.stderr ?? '',
    terminal: io.terminal ?? false,
  };
}

type Lifecycle =
  | 'create'
  | 'start'
  | 'kill'
  | 'delete'
  | 'get'
  | 'list'
  | 'wait'
  | 'exec'
  | 'deleteExec';

function lifecycle(connection: Connection): Pick<TasksApi, Lifecycle> {
  return {
    async create(task) {
      const options = task.runtimeOptions;
      const { pid } = await connection.call(method.create, {
        containerId: task.containerId,
        rootfs: task.rootfs,
        ...ioToWire(task),
        ...(options ? { options: anyFromRuncOptions(options) } : {}),
      });
      return { pid };
    },
    async start(containerId, execId = '') {
      const { pid } = await connection.call(method.start, { containerId, execId });
      return { pid };
    },
    async kill({ containerId, execId = '', signal, all = false }) {
      await connection.call(method.kill, { containerId, execId, signal, all });
    },
    async delete(containerId) {
      return exitFromWire(await connection.call(method.delete, { containerId }));
    },
    async get(containerId, execId = '') {
      const { process } = await connection.call(method.get, { containerId, execId });
      return processFromWire(process as taskTypes.Process, containerId);
    },
    async list() {
      const response = await connection.call(method.list, {});
      return response.tasks.map((task) => processFromWire(task, task.containerId || task.id));
    },
    async wait(containerId, execId = '', signal = undefined) {
      const options = { signal, timeoutMs: Number.POSITIVE_INFINITY };
      return exitFromWire(await connection.call(method.wait, { containerId, execId }, options));
    },
    async exec({ containerId, execId, process, ...io }) {
      const spec = anyFromSpec('Process', process);
      await connection.call(method.exec, { containerId, execId, spec, ...ioToWire(io) });
    },
    async deleteExec(containerId, execId) {
      return exitFromWire(await connection.call(method.deleteProcess, { containerId, execId }));
    },
  };
}

export function tasksApi(connection: Connection): TasksApi {
  return {
    ...lifecycle(connection),
    async resizePty(containerId, { width, height }, execId = '') {
      await connection.call(method.resizePty, { containerId, execId, width, height });
    },
    async closeStdin(containerId, execId = '') {
      await connection.call(method.closeIO, { containerId, execId, stdin: true });
    },
    async pause(containerId) {
      await connection.call(method.pause, { containerId });
    },
    async resume(containerId) {
      await connection.call(method.resume, { containerId });
    },
    async pids(containerId) {
      const { processes } = await connection.call(method.listPids, { containerId });
      return processes.map((process) => process.pid);
    },
    async update(containerId, resources) {
      const any = anyFromSpec('LinuxResources', resources);
      await connection.call(method.update, { containerId, resources: any });
    },
    async metrics(containerIds) {
      const filters = containerIds.map((id) => `id==${id}`);
      const response = await connection.call(method.metrics, { filters });
      return response.metrics.map((metric) => ({
        containerId: metric.id,
        timeNs: timestampNs(metric.timestamp),
        typeUrl: metric.data?.typeUrl ?? '',
        value: metric.data?.value ?? new Uint8Array(),
      }));
    },
  };
}
