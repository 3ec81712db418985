import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage } from '@skep/platform';
import type { ProcessState } from '../containerd/types.js';
import { openContainer } from '../create/creator.js';
import type { Container } from '../engine/container.js';
import { type EngineContext, saveStatus } from '../engine/context.js';
import { Gate } from '../engine/operation-queue.js';
import { startsWithDaemon } from '../engine/restart-policy.js';
import { PARALLEL_RESTORES_MAX } from '../limits.js';
import { isoTime } from '../records/record.js';
import { mountPoints } from '../volumes/local-mount.js';
import type { ExitHandler } from './exit-handler.js';
import { LAYER_LABEL } from './layer-labels.js';
import { openLeftPipes } from './left-pipes.js';
import { clearRun, removeFromContainerd, type Starter } from './starter.js';

/** Length of a container's id, with which the names of its layers begin. */
const ID_CHARACTERS = 64;
/** Docker's exit code of a container whose end nobody saw. */
const EXIT_UNKNOWN = 255;
const NS_PER_MS = 1e6;

export interface RestorerHooks {
  /** A running container was taken over. */
  onAdopted(container: Container): void;
  /** Starts a container again, in the background. */
  restart(container: Container): void;
  autoRemove(container: Container): void;
}

interface RestorerOptions {
  context: EngineContext;
  starter: Starter;
  exits: ExitHandler;
  hooks: RestorerHooks;
}

/**
 * Makes records and reality agree: at the start of the daemon, and whenever containerd was away.
 */
export class Restorer {
  readonly #options: RestorerOptions;
  readonly #context: EngineContext;

  constructor(options: RestorerOptions) {
    this.#options = options;
    this.#context = options.context;
  }

  /** Reads all records into memory. */
  load(): void {
    for (const { record, status } of this.#context.records.load()) {
      this.#context.containers.add(openContainer(this.#context, record, status));
      // Until it is known what still runs: nothing is unmounted below a container that does.
      for (const use of status.volumeUses ?? []) this.#context.volumes.hold(use);
    }
  }

  /** The first comparison after the daemon's start. */
  async restore(): Promise<void> {
    const closePipes = openLeftPipes(this.#context);
    try {
      await this.#restoreAll();
    } finally {
      closePipes();
    }
  }

  async #restoreAll(): Promise<void> {
    const context = this.#context;
    const tasks = await this.#tasks();
    const begun = new Set((await context.containerd.containers.list()).map(({ id }) => id));
    await this.#removeOrphans(begun);
    const live = context.containers.all().filter((c) => isLive(tasks.get(c.id)));
    await context.networking.restore(live.flatMap((container) => container.status.sandbox ?? []));
    // Undoing a half-made start takes runc seconds: the containers do not wait for each other.
    const gate = new Gate(PARALLEL_RESTORES_MAX);
    const restoreOne = (container: Container) =>
      this.#restoreOne(container, tasks.get(container.id), begun.has(container.id));
    await Promise.all(
      context.containers
        .all()
        .map((one) => gate.run(() => this.#guarded(one, () => restoreOne(one)))),
    );
  }

  /** After containerd was away: exits may have been missed, containers lost. */
  async resync(): Promise<void> {
    const tasks = await this.#tasks();
    for (const container of this.#context.containers.all()) {
      const task = tasks.get(container.id);
      const asExpected = container.running && isLive(task);
      if (!container.running || asExpected) continue;
      const pid = container.status.state.Pid;
      await this.#guarded(container, () => this.#noteExit(container, task, pid));
    }
  }

  /** One damaged container must not keep the others from being restored. */
  async #guarded(container: Container, operation: () => Promise<void>): Promise<void> {
    try {
      await container.queue.run(operation);
    } catch (error) {
      const fields = { id: container.id, error: errorMessage(error) };
      this.#context.logger.error(fields, 'container not restored');
    }
  }

  async #tasks(): Promise<Map<string, ProcessState>> {
    const tasks = await this.#context.containerd.tasks.list();
    return new Map(tasks.map((task) => [task.containerId, task]));
  }

  async #restoreOne(
    container: Container,
    task: ProcessState | undefined,
    begun: boolean,
  ): Promise<void> {
    const { state } = container.status;
    if (task && isLive(task)) return this.#adopt(container, task);
    if (state.Running && !state.Restarting) {
      return this.#noteExit(container, task, state.Pid);
    }
    // What is there was half made: a start that the daemon did not live to finish.
    if (begun) await removeFromContainerd(this.#context, container.id);
    await clearRun(this.#context, container);
    this.#startIfWanted(container);
  }

  async #adopt(container: Container, task: ProcessState): Promise<void> {
    const { starter, hooks } = this.#options;
    const { state } = container.status;
    const paused = task.status === 'paused' || task.status === 'pausing';
    // Started by a daemon that was killed before it could write so.
    if (!state.Running) state.StartedAt = isoTime(this.#context.clock.now());
    Object.assign(state, {
      Status: paused ? 'paused' : 'running',
      Running: true,
      Restarting: false,
      Paused: paused,
      Pid: task.pid,
      Error: '',
    });
    container.log.recover();
    const streams = starter.streamsOf(container);
    streams.open();
    streams.markStarted();
    container.log.setLive(true);
    saveStatus(this.#context, container);
    hooks.onAdopted(container);
  }

  async #noteExit(
    container: Container,
    task: ProcessState | undefined,
    pid: number,
  ): Promise<void> {
    const known = task?.status === 'stopped';
    const exit = {
      exitCode: known ? task.exitStatus : EXIT_UNKNOWN,
      exitedAtMs: known ? Number(task.exitedNs) / NS_PER_MS : this.#context.clock.now(),
    };
    if (!known) await removeFromContainerd(this.#context, container.id);
    container.log.recover();
    for (const stream of ['stdout', 'stderr'] as const) container.log.end(stream);
    await this.#options.exits.handle(container, exit, pid);
  }

  #startIfWanted(container: Container): void {
    const { record, status } = container;
    const { Status, Restarting } = status.state;
    const wanted =
      Restarting ||
      (Status === 'exited' &&
        startsWithDaemon(record.hostConfig.RestartPolicy, status.manuallyStopped));
    if (wanted) this.#options.hooks.restart(container);
    else if (Status === 'exited' && record.hostConfig.AutoRemove) {
      this.#options.hooks.autoRemove(container);
    }
  }

  /** Removes what has no record: creations and removals that a dying daemon left half done. */
  async #removeOrphans(begun: Iterable<string>): Promise<void> {
    const { containerd, containers, logger } = this.#context;
    const known = (id: string) => containers.byId(id) !== undefined;
    for (const id of begun) {
      if (known(id)) continue;
      logger.info({ id }, 'removing a container without record');
      await removeFromContainerd(this.#context, id);
    }
    this.#removeOrphanRuns(known);
    const layers = await containerd.snapshots.list([`labels."${LAYER_LABEL}"`]);
    for (const { name } of layers) {
      if (known(name.slice(0, ID_CHARACTERS))) continue;
      await containerd.snapshots.remove(name).catch((error) => {
        logger.warn({ id: name, error: errorMessage(error) }, 'layer without record not removed');
      });
    }
  }

  #removeOrphanRuns(known: (id: string) => boolean): void {
    const { paths, kernel } = this.#context;
    if (!existsSync(paths.runs)) return;
    const mounted = mountPoints();
    for (const id of readdirSync(paths.runs)) {
      if (known(id)) continue;
      const run = paths.run(id);
      for (const path of mounted.filter((point) => point.startsWith(`${run}/`))) {
        kernel.unmount(path);
      }
      // A mount that could not be undone must not have its files deleted.
      if (!mountPoints().some((point) => point.startsWith(`${run}/`))) {
        rmSync(join(run), { recursive: true, force: true });
      }
    }
  }
}

function isLive(task: ProcessState | undefined): boolean {
  return task?.status === 'running' || task?.status === 'paused' || task?.status === 'pausing';
}
