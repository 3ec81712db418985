import type { EngineFacts } from '../contract.js';

/** A process of the host, as /proc shows it. */
export interface ProcessInfo {
  pid: number;
  parentPid: number;
  /** Clock ticks since the host's start: with the pid, a process's identity. */
  startTicks: number;
  /** Which PID namespace it is in: `pid:[4026531836]`. */
  pidNamespace: string;
  /** Its number in that namespace. */
  innerPid: number;
  /** Words of its command line; none for what has ended but was not waited for. */
  command: string[];
}

export interface ProcessTable {
  list(): ProcessInfo[];
  /** Undefined when there is none, or it has ended and only waits to be noticed. */
  get(pid: number): ProcessInfo | undefined;
  /** No error when it has ended. */
  signal(pid: number, signal: NodeJS.Signals | number): void;
}

export interface LaunchRequest {
  command: string;
  args: readonly string[];
  /** Gets standard error, at its end. */
  logFile: string;
}

/** A program that says one line, waits for the word to go on, and outlives this process. */
export interface Launched {
  /** The line. Rejects when the program ends first or the time is over. */
  line(timeoutMs: number): Promise<string>;
  /** Lets it go on. */
  release(): void;
  /** Ends it, if it did not go on yet. */
  abort(): void;
}

export interface Launcher {
  launch(request: LaunchRequest): Launched;
}

/** A machine's engine, by its socket on the host. */
export interface Engines {
  answers(socket: string): Promise<boolean>;
  /** Undefined when it does not answer in time. */
  facts(socket: string): Promise<EngineFacts | undefined>;
}

export interface Locker {
  /** Takes a lock that ends with this process at the latest; undefined while another has it. */
  tryLock(path: string): Promise<{ release(): void } | undefined>;
}

export interface Cgroups {
  /** Paths, below the mounts of the hierarchies, of the cgroups a process is in. */
  of(pid: number): string[];
  /** Removes cgroups, and parents that are empty then. What is in use stays. */
  removeEmpty(paths: Iterable<string>): void;
}
