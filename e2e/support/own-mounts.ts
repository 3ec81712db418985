import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { ended, must } from './exec.ts';

/** Where Docker looks for plugins, and so does every skepd. */
export const PLUGIN_SOCKETS = '/run/docker/plugins';

/**
 * A mount namespace for a node, over all of its restarts, with a place of its own for the sockets of
 * plugins: whoever runs on the machine meanwhile sees none of them.
 */
export class OwnMounts {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  /** `sockets` is the directory that stands for that of the machine. */
  static async start(sockets: string): Promise<OwnMounts> {
    mkdirSync(PLUGIN_SOCKETS, { recursive: true });
    const script = `mount --bind ${sockets} ${PLUGIN_SOCKETS} && echo && exec sleep infinity`;
    const holder = spawn('unshare', ['--mount', 'sh', '-c', script]);
    await new Promise((resolve, reject) => {
      holder.stdout.once('data', resolve);
      holder.once('exit', () => reject(new Error('no mount namespace could be made')));
    });
    return new OwnMounts(holder);
  }

  /** What commands run below to be in it. */
  get within(): string[] {
    return ['nsenter', `--mount=/proc/${this.#holder.pid}/ns/mnt`, '--'];
  }

  /** Output of a command in it that must succeed. */
  run(...command: string[]): Promise<string> {
    const [program = '', ...args] = [...this.within, ...command];
    return must(program, args);
  }

  /** Whether any of its mounts has this in its line. */
  has(text: string): boolean {
    return readFileSync(`/proc/${this.#holder.pid}/mountinfo`, 'utf8').includes(text);
  }

  /** What is mounted goes with the last process in it. */
  async end(): Promise<void> {
    this.#holder.kill('SIGKILL');
    await ended(this.#holder);
  }
}
