import type { ExecRequest } from '../contract/engine.js';
import type { ExecInspect } from '../contract/state.js';
import type { Container } from '../engine/container.js';
import type { ProcessStreams } from '../stdio/process-streams.js';

/** One exec, from its creation until it is forgotten. */
export class Exec {
  readonly id: string;
  readonly container: Container;
  readonly request: ExecRequest;
  state: 'created' | 'starting' | 'running' | 'ended' = 'created';
  exitCode: number | null = null;
  pid = 0;
  streams: ProcessStreams | undefined;
  /** Resolves when the runtime has answered to the start, well or not. */
  launched: Promise<void> = Promise.resolve();
  /** Resolves when the process has ended and all its output was handed on. */
  readonly ended: Promise<void>;
  resolveEnded: () => void = () => {};

  constructor(options: { id: string; container: Container; request: ExecRequest }) {
    this.id = options.id;
    this.container = options.container;
    this.request = options.request;
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
  }

  get running(): boolean {
    return this.state === 'starting' || this.state === 'running';
  }

  inspect(): ExecInspect {
    const { request } = this;
    const [entrypoint = '', ...args] = request.Cmd;
    return {
      ID: this.id,
      Running: this.running,
      ExitCode: this.exitCode,
      ProcessConfig: {
        tty: request.Tty ?? false,
        entrypoint,
        arguments: args,
        privileged: request.Privileged ?? false,
        ...(request.User ? { user: request.User } : {}),
      },
      OpenStdin: request.AttachStdin ?? false,
      OpenStderr: request.AttachStderr ?? false,
      OpenStdout: request.AttachStdout ?? false,
      CanRemove: !this.running,
      ContainerID: this.container.id,
      DetachKeys: request.DetachKeys ?? '',
      Pid: this.pid,
    };
  }
}
