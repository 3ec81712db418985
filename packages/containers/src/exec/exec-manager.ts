import { Code, newContainerId, RpcError } from '@skep/platform';
import type { ExecRequest, StreamSession } from '../contract/engine.js';
import type { ExecInspect } from '../contract/state.js';
import type { Container } from '../engine/container.js';
import { type EngineContext, emitContainer } from '../engine/context.js';
import { EXEC_KEPT_MS, EXECS_PER_CONTAINER_MAX } from '../limits.js';
import { readAccounts } from '../run/root-mount.js';
import { conflict, requireRunning } from '../run/stopper.js';
import { execProcess } from '../spec/process.js';
import { resolveUser } from '../spec/user.js';
import { ProcessStreams } from '../stdio/process-streams.js';
import { Exec } from './exec.js';
import { translateExecError } from './exec-error.js';

const SIGKILL = 9;
/** What is told of an exec whose container ended under it: killed. */
const EXIT_KILLED = 137;

export interface CapturedRun {
  exitCode: number;
  output: Uint8Array;
  timedOut: boolean;
}

/** Further processes in running containers. */
export class ExecManager {
  readonly #context: EngineContext;
  readonly #execs = new Map<string, Exec>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  create(container: Container, request: ExecRequest): Exec {
    if (!request.Cmd?.length) {
      throw new RpcError(Code.INVALID_ARGUMENT, 'No exec command specified');
    }
    requireRunning(container);
    if (container.status.state.Paused) {
      throw conflict(`Container ${container.id} is paused, unpause the container before exec`);
    }
    if (container.execIds.size >= EXECS_PER_CONTAINER_MAX) {
      throw new RpcError(Code.RESOURCE_EXHAUSTED, 'too many execs in this container');
    }
    const exec = new Exec({ id: newContainerId(this.#context.random), container, request });
    this.#execs.set(exec.id, exec);
    container.execIds.add(exec.id);
    this.#emit(exec, `exec_create: ${request.Cmd.join(' ')}`);
    return exec;
  }

  inspect(execId: string): ExecInspect {
    return this.find(execId).inspect();
  }

  find(execId: string): Exec {
    const exec = this.#execs.get(execId);
    if (!exec) throw new RpcError(Code.NOT_FOUND, `No such exec instance: ${execId}`);
    return exec;
  }

  /** Runs it with its streams attached as it was created; detached: resolves when it runs. */
  async start(execId: string, detach: boolean): Promise<StreamSession | undefined> {
    const exec = this.find(execId);
    if (exec.state === 'ended') throw conflict(`Error: Exec command ${execId} has already run`);
    if (exec.running) throw conflict(`Error: Exec command ${execId} is already running`);
    requireRunning(exec.container);
    const streams = this.#openStreams(exec, !detach && (exec.request.AttachStdin ?? false));
    if (detach) {
      await this.#launch(exec, streams);
      return undefined;
    }
    const session = streams.attach({
      stdin: exec.request.AttachStdin ?? false,
      stdout: exec.request.AttachStdout ?? false,
      stderr: exec.request.AttachStderr ?? false,
    });
    try {
      await this.#launch(exec, streams);
      return session;
    } catch (error) {
      if (!(error instanceof RpcError) || exec.exitCode === null) throw error;
      // Clients ask for the exit code (126, 127) after the stream, so it is told on the stream.
      return failedSession(error.message);
    }
  }

  /** Runs a command to its end and keeps the first bytes it printed; kills it after the time. */
  async runCaptured(
    container: Container,
    request: ExecRequest,
    limits: { timeoutMs: number; outputBytes: number },
  ): Promise<CapturedRun> {
    const exec = this.create(container, request);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const streams = this.#openStreams(exec, false, (chunk) => {
      if (bytes < limits.outputBytes) chunks.push(Uint8Array.from(chunk));
      bytes += chunk.length;
    });
    const abort = new AbortController();
    let timedOut = false;
    try {
      await this.#launch(exec, streams);
      const timeout = this.#context.clock.sleep(limits.timeoutMs, abort.signal).then(
        () => {
          timedOut = true;
        },
        () => {},
      );
      await Promise.race([exec.ended, timeout]);
      if (timedOut) await this.#kill(exec);
    } finally {
      abort.abort();
      if (!exec.running) this.#forget(exec);
    }
    return { exitCode: exec.exitCode ?? -1, output: Buffer.concat(chunks), timedOut };
  }

  async #kill(exec: Exec): Promise<void> {
    const { tasks } = this.#context.containerd;
    const request = { containerId: exec.container.id, execId: exec.id, signal: SIGKILL };
    await tasks.kill(request).catch(() => {}); // it may just have ended
  }

  #openStreams(
    exec: Exec,
    stdin: boolean,
    onChunk: (chunk: Uint8Array) => void = () => {},
  ): ProcessStreams {
    const { paths, kernel, clock, containerd } = this.#context;
    const { id } = exec.container;
    const streams = new ProcessStreams({
      directory: paths.execStreams(id, exec.id),
      stdin,
      terminal: exec.request.Tty ?? false,
      kernel,
      clock,
      onChunk: (_stream, chunk) => onChunk(chunk),
      closeRemoteInput: () => containerd.tasks.closeStdin(id, exec.id),
    });
    exec.streams = streams;
    exec.state = 'starting';
    return streams;
  }

  #launch(exec: Exec, streams: ProcessStreams): Promise<void> {
    const launch = this.#launchNow(exec, streams);
    exec.launched = launch.catch(() => {}); // whoever started it is told
    return launch;
  }

  async #launchNow(exec: Exec, streams: ProcessStreams): Promise<void> {
    const { containerd, paths, host } = this.#context;
    const { container, request } = exec;
    try {
      streams.open();
      const accounts = readAccounts(paths.root(container.id));
      const name = request.User || container.record.config.User;
      const user = resolveUser(name, container.record.hostConfig.GroupAdd ?? [], accounts);
      const process = execProcess(container.record, request, user, host);
      await containerd.tasks.exec({
        containerId: container.id,
        execId: exec.id,
        process,
        ...streams.io,
      });
      const { pid } = await containerd.tasks.start(container.id, exec.id);
      streams.markStarted();
      exec.pid = pid;
      if (exec.state === 'starting') exec.state = 'running';
      this.#emit(exec, `exec_start: ${request.Cmd.join(' ')}`);
    } catch (error) {
      streams.discard();
      const { failure, exitCode } = translateExecError(error);
      await containerd.tasks.deleteExec(container.id, exec.id).catch(() => {}); // may not exist
      this.#setEnded(exec, exitCode);
      throw failure;
    }
  }

  /** An exec's process ended; ignored for processes that are not ours. */
  async handleExit(execId: string, exitCode: number): Promise<void> {
    const exec = this.#execs.get(execId);
    if (!exec?.running) return;
    // A short process may end before its start is answered, which fails if it is deleted by then.
    await exec.launched;
    if (!exec.running) return;
    // Set before the streams end: a client asks for it right then.
    exec.exitCode = exitCode;
    exec.state = 'ended';
    const { tasks } = this.#context.containerd;
    await Promise.all([
      tasks.deleteExec(exec.container.id, exec.id).catch(() => {}), // the container may be gone
      exec.streams?.drain(),
    ]);
    this.#setEnded(exec, exitCode);
    this.#emit(exec, 'exec_die', { exitCode: String(exitCode) });
  }

  #setEnded(exec: Exec, exitCode: number): void {
    exec.exitCode = exitCode;
    exec.state = 'ended';
    exec.streams = undefined;
    exec.resolveEnded();
    this.#context.clock.after(EXEC_KEPT_MS, () => this.#forget(exec));
  }

  #forget(exec: Exec): void {
    this.#execs.delete(exec.id);
    exec.container.execIds.delete(exec.id);
  }

  /** The container's end is that of all its processes. */
  endAll(container: Container): void {
    for (const id of container.execIds) {
      const exec = this.#execs.get(id);
      if (exec?.running) {
        exec.streams?.discard();
        this.#setEnded(exec, EXIT_KILLED);
      }
      this.#execs.delete(id);
    }
    container.execIds.clear();
  }

  /** The daemon goes: leaves running processes and their pipes alone. */
  release(): void {
    for (const exec of this.#execs.values()) exec.streams?.release();
  }

  #emit(exec: Exec, action: string, extra: Record<string, string> = {}): void {
    emitContainer(this.#context, exec.container, action, { ...extra, execID: exec.id });
  }
}

function failedSession(message: string): StreamSession {
  return {
    output: (async function* () {
      yield { stream: 'stdout' as const, data: Buffer.from(`${message}\r\n`) };
    })(),
    write: async () => {},
    closeInput: async () => {},
    detach: () => {},
  };
}
