import {
  type Cancel,
  type Clock,
  Code,
  type Disk,
  errorMessage,
  hasErrno,
  type Logger,
  RpcError,
} from '@skep/platform';
import type { DetachedProcesses } from './child.js';
import { type ContainerdPaths, containerdConfig } from './config-toml.js';
import {
  LOG_BYTES_MAX,
  RESTART_BACKOFF_MS,
  STABLE_AFTER_MS,
  START_POLL_MS,
  START_TIMEOUT_MS,
  STOP_TIMEOUT_MS,
  WATCH_POLL_MS,
} from './limits.js';

export interface SupervisorOptions {
  paths: ContainerdPaths;
  /** Program to run; found on PATH unless absolute. */
  binary?: string;
  logLevel?: 'debug' | 'info' | 'warn' | 'error';
  disk: Disk;
  processes: DetachedProcesses;
  /** Whether a containerd answers on the socket. Must settle within seconds. */
  probe(socket: string): Promise<boolean>;
  clock: Clock;
  logger: Logger;
}

/**
 * Keeps our own containerd running. It outlives this daemon: a living one with the same command
 * line and configuration is adopted at start, another is replaced (what runs in it does not notice:
 * each container has a shim of its own). One that dies is started again.
 */
export class ContainerdSupervisor {
  readonly #options: SupervisorOptions;
  readonly #clock: Clock;
  readonly #listeners = new Set<(running: boolean) => void>();
  #pid: number | undefined;
  #running = false;
  #stopping = false;
  #startedMs = 0;
  #backoffMs: number = RESTART_BACKOFF_MS.first;
  #cancelTimer: Cancel = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Told whenever containerd goes down or is up again. */
  onState(listener: (running: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves when containerd answers; rejects when it cannot be started at all. */
  async start(): Promise<void> {
    const { paths, disk } = this.#options;
    for (const path of [paths.root, paths.state]) await disk.makeDirectory(path, 0o711);
    const sameConfig = await this.#writeConfig();
    const old = await this.#recordedPid();
    if (old !== undefined && sameConfig && (await this.#answers(old))) this.#adopt(old);
    else {
      if (old !== undefined) await this.#terminate(old);
      await this.#launch();
    }
    this.#watch();
  }

  /** Ends containerd; containers and their shims live on. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelTimer();
    if (this.#pid !== undefined) await this.#terminate(this.#pid);
    await this.#options.disk.remove(this.#options.paths.pidFile);
    this.#setRunning(false);
  }

  /** Stops watching and leaves containerd running, for whoever starts next. */
  detach(): void {
    this.#stopping = true;
    this.#cancelTimer();
  }

  get #arguments(): string[] {
    return ['--config', this.#options.paths.config];
  }

  get #binary(): string {
    return this.#options.binary ?? 'containerd';
  }

  /** True when the file already said the same. */
  async #writeConfig(): Promise<boolean> {
    const { paths, disk, logLevel = 'warn' } = this.#options;
    const config = Buffer.from(containerdConfig(paths, logLevel));
    if ((await this.#readOptional(paths.config))?.equals(config)) return true;
    await disk.writeFileAtomic(paths.config, config, 0o600);
    return false;
  }

  async #readOptional(path: string): Promise<Buffer | undefined> {
    try {
      return Buffer.from(await this.#options.disk.readFile(path));
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** The process of the pid file, if it is still the one we started (numbers are used again). */
  async #recordedPid(): Promise<number | undefined> {
    const text = await this.#readOptional(this.#options.paths.pidFile);
    const pid = Number.parseInt(text?.toString('utf8') ?? '', 10);
    return Number.isSafeInteger(pid) && pid > 1 && this.#isOurs(pid) ? pid : undefined;
  }

  #isOurs(pid: number): boolean {
    const words = this.#options.processes.commandLine(pid);
    return words?.join('\0') === [this.#binary, ...this.#arguments].join('\0');
  }

  #adopt(pid: number): void {
    this.#pid = pid;
    this.#startedMs = this.#clock.monotonic();
    this.#options.logger.info({ pid }, 'took over the running containerd');
    this.#setRunning(true);
  }

  async #launch(): Promise<void> {
    const { processes, paths, disk, logger } = this.#options;
    processes.limitLog(paths.log, LOG_BYTES_MAX);
    let exited: number | undefined;
    const spawned = processes.spawn(this.#binary, this.#arguments, {
      logPath: paths.log,
      onExit: () => {
        exited = pid;
        if (this.#pid === pid && this.#running) this.#died();
      },
    });
    const { pid } = await spawned.catch((error: unknown) => {
      throw this.#spawnError(error);
    });
    this.#pid = pid;
    this.#startedMs = this.#clock.monotonic();
    await disk.writeFileAtomic(paths.pidFile, Buffer.from(`${pid}\n`), 0o600);
    if (!(await this.#answers(pid, () => exited === pid))) {
      await this.#terminate(pid);
      this.#pid = undefined;
      throw new RpcError(Code.UNAVAILABLE, `containerd does not start, see ${paths.log}`);
    }
    logger.info({ pid, tookMs: Math.round(this.#clock.monotonic() - this.#startedMs) }, STARTED);
    this.#setRunning(true);
  }

  #spawnError(error: unknown): unknown {
    if (!hasErrno(error, 'ENOENT')) return error;
    const text = `containerd cannot be started: no program "${this.#binary}" is found`;
    return new RpcError(Code.UNAVAILABLE, text, { cause: error });
  }

  /** Waits until a process answers; false when it ends first or takes too long. */
  async #answers(pid: number, hasExited = () => false): Promise<boolean> {
    const endMs = this.#clock.monotonic() + START_TIMEOUT_MS;
    while (this.#clock.monotonic() < endMs && !hasExited() && this.#isOurs(pid)) {
      if (await this.#options.probe(this.#options.paths.socket)) return true;
      await this.#clock.sleep(START_POLL_MS);
    }
    return false;
  }

  async #terminate(pid: number): Promise<void> {
    const { processes } = this.#options;
    const endMs = this.#clock.monotonic() + STOP_TIMEOUT_MS;
    processes.kill(pid, 'SIGTERM');
    while (processes.commandLine(pid) !== undefined) {
      if (this.#clock.monotonic() >= endMs) processes.kill(pid, 'SIGKILL');
      await this.#clock.sleep(START_POLL_MS);
    }
  }

  /** An adopted process is nobody's child here, so it is looked at from time to time. */
  #watch(): void {
    this.#cancelTimer = this.#clock.after(WATCH_POLL_MS, () => {
      if (this.#stopping || !this.#running) return;
      this.#options.processes.limitLog(this.#options.paths.log, LOG_BYTES_MAX);
      if (this.#pid !== undefined && this.#isOurs(this.#pid)) this.#watch();
      else this.#died();
    });
  }

  #died(): void {
    if (this.#stopping || !this.#running) return;
    const livedMs = this.#clock.monotonic() - this.#startedMs;
    this.#options.logger.error({ pid: this.#pid, livedMs }, 'containerd died');
    this.#pid = undefined;
    this.#setRunning(false);
    this.#cancelTimer();
    if (livedMs >= STABLE_AFTER_MS) this.#backoffMs = RESTART_BACKOFF_MS.first;
    this.#restartLater();
  }

  #restartLater(): void {
    const delayMs = this.#backoffMs;
    this.#backoffMs = Math.min(delayMs * 2, RESTART_BACKOFF_MS.last);
    this.#cancelTimer = this.#clock.after(delayMs, () => void this.#restart());
  }

  async #restart(): Promise<void> {
    if (this.#stopping) return;
    try {
      await this.#launch();
      this.#watch();
    } catch (error) {
      this.#options.logger.error({ error: errorMessage(error) }, 'containerd cannot be restarted');
      if (!this.#stopping) this.#restartLater();
    }
  }

  #setRunning(running: boolean): void {
    if (this.#running === running) return;
    this.#running = running;
    for (const listener of [...this.#listeners]) listener(running);
  }
}

const STARTED = 'started containerd';
