import { join } from 'node:path';
import { type Disk, hasErrno } from '@skep/platform';
import type { IngressAttachment, PublishedTask } from './contract.js';

const INGRESS_FILE = 'ingress.json';
const TASK_DIRECTORY = 'tasks';
const JSON_SUFFIX = '.json';
const TASK_ID = /^[a-zA-Z0-9._-]{1,128}$/;

/**
 * What is published, kept beside the kernel's state (exec-root, gone after a reboot like the
 * kernel's): a new daemon finds there what the old one had programmed. One small file a task, so a
 * change costs the same however many there are.
 */
export class PublishStore {
  readonly #disk: Disk;
  readonly #directory: string;

  constructor(options: { disk: Disk; directory: string }) {
    this.#disk = options.disk;
    this.#directory = options.directory;
  }

  async load(): Promise<{ ingress: IngressAttachment | undefined; tasks: PublishedTask[] }> {
    await this.#disk.makeDirectory(join(this.#directory, TASK_DIRECTORY), 0o700);
    const ingress = await this.#read<IngressAttachment>(join(this.#directory, INGRESS_FILE));
    const tasks: PublishedTask[] = [];
    for (const name of await this.#disk.list(join(this.#directory, TASK_DIRECTORY))) {
      if (!name.endsWith(JSON_SUFFIX) || name.startsWith('.')) continue;
      const task = await this.#read<PublishedTask>(join(this.#directory, TASK_DIRECTORY, name));
      if (task) tasks.push(task);
    }
    return { ingress, tasks };
  }

  async saveIngress(ingress: IngressAttachment | undefined): Promise<void> {
    const path = join(this.#directory, INGRESS_FILE);
    if (ingress) await this.#write(path, ingress);
    else await this.#disk.remove(path);
  }

  async saveTask(task: PublishedTask): Promise<void> {
    await this.#write(this.#taskPath(task.taskId), task);
  }

  async removeTask(taskId: string): Promise<void> {
    await this.#disk.remove(this.#taskPath(taskId));
  }

  async removeAll(): Promise<void> {
    await this.#disk.remove(this.#directory);
  }

  #taskPath(taskId: string): string {
    if (!TASK_ID.test(taskId)) throw new RangeError(`not a task id: ${taskId}`);
    return join(this.#directory, TASK_DIRECTORY, `${taskId}${JSON_SUFFIX}`);
  }

  async #write(path: string, value: object): Promise<void> {
    await this.#disk.writeFileAtomic(path, Buffer.from(JSON.stringify(value)));
  }

  /** Undefined for a missing or spoilt file: the executor activates what lives again anyway. */
  async #read<T>(path: string): Promise<T | undefined> {
    try {
      return JSON.parse(Buffer.from(await this.#disk.readFile(path)).toString('utf8')) as T;
    } catch (error) {
      if (hasErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
}
