import type { Machines } from '@skep/machines';

/** A program that takes over the terminal until it ends. */
export interface ForegroundRequest {
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
}

/** All of the world that commands see. */
export interface CliContext {
  env: Readonly<Record<string, string | undefined>>;
  isRoot: boolean;
  out(text: string): void;
  error(text: string): void;
  /** Asks a person, or whatever is connected, for one line; empty when there is none. */
  ask(question: string): Promise<string>;
  /** Resolves with the exit code: 128 and the signal's number after a signal, 127 for no program. */
  foreground(request: ForegroundRequest): Promise<number>;
  /** GET on an engine's unix socket, parsed; undefined when it does not answer. */
  get(host: string, path: string): Promise<unknown>;
  /** Text of a file; undefined when there is none. */
  readText(path: string): string | undefined;
  machines(options: { storage?: string | undefined; subnet?: string | undefined }): Machines;
}

/** A mistake in what was typed, or an answer of no: printed without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
