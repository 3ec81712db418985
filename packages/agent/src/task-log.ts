import { type Clock, type Disk, type DiskFile, errorMessage, type Logger } from '@skep/platform';
import type { TaskObject } from '@skep/wire';
import type { TaskStatus } from '@skep/wire/swarmkit';
import type { AgentLimits } from './limits.js';
import { decodeRecords, encodeRecord, replayRecords, type TaskRecord } from './task-records.js';

export interface TaskLogOptions {
  disk: Disk;
  clock: Clock;
  logger: Logger;
  limits: AgentLimits;
  /** Made when missing. */
  directory: string;
}

const FILE_NAME = 'tasks.log';
const FILE_MODE = 0o600;

/**
 * The tasks assigned to this node, with their last status, as an append-only log.
 *
 * Appends are written but not synced. What is written survives the death of this process; a power cut may
 * take the last records, but it also ends every container, and then the manager's assignments and the
 * containers' own exit codes say all that was lost. So starting fifty tasks costs a few plain writes, and
 * no status waits for the disk. The one order that matters is that a task is written before its container
 * is made, since containers of unknown tasks are removed at start. What exit codes do not say is whether
 * somebody asked for the end: that the task of a job is to stop is synced ({@link synced}) before it does.
 *
 * A write that fails (full disk) stops nothing: the tasks are in memory, and the log is rewritten from
 * there until it succeeds.
 */
export class TaskLog {
  readonly #options: TaskLogOptions;
  readonly #path: string;
  #tasks = new Map<string, TaskObject>();
  #file: DiskFile | undefined;
  #fileBytes = 0;
  #liveBytes = 0;
  /** What the file does not say yet, by task. It is told what holds when it is written, once a task. */
  #changed = new Map<string, TaskRecord['kind']>();
  #writing: Promise<void> | undefined;
  /** The file does not hold what is in memory. */
  #broken = false;
  #cancelRetry: (() => void) | undefined;

  private constructor(options: TaskLogOptions) {
    this.#options = options;
    this.#path = `${options.directory}/${FILE_NAME}`;
  }

  /** Opens the log, cutting off a torn end. Rejects when the directory cannot be used. */
  static async open(options: TaskLogOptions): Promise<TaskLog> {
    const log = new TaskLog(options);
    await options.disk.makeDirectory(options.directory, 0o700);
    await log.#load();
    return log;
  }

  /** Every assigned task under its id. */
  get tasks(): ReadonlyMap<string, TaskObject> {
    return this.#tasks;
  }

  /** Keeps an assignment (with the status in it). Wait for {@link flushed} before acting on it. */
  assigned(task: TaskObject): void {
    this.#tasks.set(task.id, task);
    this.#changes(task.id, 'assigned');
  }

  status(taskId: string, status: TaskStatus): void {
    const task = this.#tasks.get(taskId);
    if (!task) return;
    this.#tasks.set(taskId, { ...task, status });
    // An assignment that is yet to be written will tell the status, too.
    this.#changes(taskId, this.#changed.get(taskId) ?? 'status');
  }

  removed(taskId: string): void {
    if (this.#tasks.delete(taskId)) this.#changes(taskId, 'removed');
  }

  /** Resolves when everything up to now is written, or could not be. */
  async flushed(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /** Resolves when everything up to now survives a power cut, or could not be written. */
  async synced(): Promise<void> {
    await this.flushed();
    try {
      await this.#file?.datasync();
    } catch (error) {
      this.#failed(error);
    }
  }

  async close(): Promise<void> {
    await this.flushed();
    this.#cancelRetry?.();
    await this.#file?.close();
    this.#file = undefined;
  }

  async #load(): Promise<void> {
    const { disk, logger } = this.#options;
    if (await disk.stat(this.#path)) {
      const bytes = await disk.readFile(this.#path);
      const { records, validBytes } = decodeRecords(bytes);
      if (validBytes < bytes.length) {
        logger.warn(
          { path: this.#path, validBytes },
          'the task log ends in a torn record: cut off',
        );
      }
      this.#tasks = replayRecords(records);
    }
    await this.#rewrite();
  }

  /** Has a record of a task written, with what holds by then. */
  #changes(taskId: string, kind: TaskRecord['kind']): void {
    this.#changed.set(taskId, kind);
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    // What a turn of the event loop brings goes into one write: mostly several steps of a task.
    await new Promise<void>((resolve) => this.#options.clock.soon(resolve));
    do {
      const records = [...this.#changed].map(([taskId, kind]) => this.#record(taskId, kind));
      this.#changed.clear();
      try {
        await this.#writeBatch(Buffer.concat(records));
      } catch (error) {
        this.#failed(error);
      }
    } while (this.#changed.size > 0);
    this.#writing = undefined;
  }

  #record(taskId: string, kind: TaskRecord['kind']): Uint8Array {
    const task = this.#tasks.get(taskId);
    if (!task) return encodeRecord({ kind: 'removed', taskId });
    if (kind === 'status') return encodeRecord({ kind, taskId, status: task.status });
    return encodeRecord({ kind: 'assigned', task });
  }

  async #writeBatch(bytes: Uint8Array): Promise<void> {
    const { taskLogCompactBytes } = this.#options.limits;
    const size = this.#fileBytes + bytes.length;
    const large = size > taskLogCompactBytes && size > 2 * this.#liveBytes;
    if (this.#broken || large || !this.#file) return this.#rewrite();
    await this.#file.write(this.#fileBytes, bytes);
    this.#fileBytes = size;
  }

  /** Replaces the log by what is in memory, durably. */
  async #rewrite(): Promise<void> {
    const { disk } = this.#options;
    this.#broken = true;
    const records = [...this.#tasks.values()].map((task) =>
      encodeRecord({ kind: 'assigned', task }),
    );
    const bytes = Buffer.concat(records);
    await this.#file?.close();
    this.#file = undefined;
    await disk.writeFileAtomic(this.#path, bytes, FILE_MODE);
    this.#file = await disk.open(this.#path, 'read-write');
    this.#fileBytes = bytes.length;
    this.#liveBytes = bytes.length;
    this.#broken = false;
  }

  #failed(error: unknown): void {
    const { clock, limits, logger } = this.#options;
    this.#broken = true;
    logger.warn({ path: this.#path, error: errorMessage(error) }, 'could not write the task log');
    this.#cancelRetry?.();
    this.#cancelRetry = clock.after(limits.taskLogRetryMs, () => {
      this.#writing ??= this.#write();
    });
  }
}
