import { realpathSync } from 'node:fs';
import { must } from './exec.ts';
import type { TestMachines } from './machines.ts';
import { IMAGE } from './sample.ts';

const DIRECTORY = new URL('./probe', import.meta.url).pathname;
const PROGRAM = 'probe.mjs';

/** Who answered a question, the address it saw asking, and the address that was asked there. */
export interface Answer {
  name: string;
  from: string;
  to: string;
  /** Of what was sent. */
  bytes: number;
  /** From the question to the answer; of HTTP alone. */
  ms: number;
}

/** An answer, or the code of the error there was in its place. */
export type Outcome = Answer | string;

/** Machines see the host's files: containers there get its Node, so no image needs one. */
const MOUNTS = [
  ['/lib', '/lib'],
  ['/lib64', '/lib64'],
  [realpathSync(process.execPath), '/bin/node'],
  [DIRECTORY, '/probe'],
].flatMap(([source, target]) => [
  '--mount',
  `type=bind,source=${source},target=${target},readonly`,
]);

/**
 * The end of `service create` and of `run`: a server that tells who it is (`SERVICE.SLOT@NODE` for a
 * task) and whom it sees: by HTTP and UDP on port 80; on port 7 it echoes. It leaves politely.
 */
export function probe(flags: readonly string[] = [], name = TASK_NAME): string[] {
  const serve = [IMAGE, 'node', `/probe/${PROGRAM}`, 'serve'];
  // The image's own stop signal is SIGKILL, for the sake of busybox.
  return [...MOUNTS, '--stop-signal', 'SIGTERM', '--env', `PROBE_NAME=${name}`, ...flags, ...serve];
}

const TASK_NAME = '{{.Service.Name}}.{{.Task.Slot}}@{{.Node.Hostname}}';

/** Where questions are asked from. */
export class Place {
  readonly #run: (words: readonly string[]) => Promise<string>;

  private constructor(run: (words: readonly string[]) => Promise<string>) {
    this.#run = run;
  }

  /** A container that runs {@link probe}. */
  static container(machines: TestMachines, machine: string, id: string): Place {
    const program = ['exec', id, 'node', `/probe/${PROGRAM}`];
    return new Place((words) => machines.docker(machine, ...program, ...words));
  }

  /** A machine itself. */
  static async machine(machines: TestMachines, name: string): Promise<Place> {
    const enter = [`--net=/proc/${await machines.pid(name)}/ns/net`, process.execPath];
    return new Place((words) => must('nsenter', [...enter, `${DIRECTORY}/${PROGRAM}`, ...words]));
  }

  /** This host, which is in no cluster. */
  static host(): Place {
    return new Place((words) => must(process.execPath, [`${DIRECTORY}/${PROGRAM}`, ...words]));
  }

  /** One HTTP request after the other, each on a connection of its own. */
  get(url: string, times = 1): Promise<Outcome[]> {
    return this.#ask('get', url, String(times));
  }

  /** The same from one of the place's addresses. */
  getFrom(address: string, url: string, times = 1): Promise<Outcome[]> {
    return this.#ask('from', address, url, String(times));
  }

  /** Sends so many bytes by HTTP. */
  put(url: string, bytes: number): Promise<Outcome> {
    return this.#ask('put', url, String(bytes));
  }

  /** One datagram after the other, each from a port of its own. */
  udp(host: string, port: number, times = 1): Promise<Outcome[]> {
    return this.#ask('udp', host, String(port), String(times));
  }

  datagram(host: string, port: number, bytes: number): Promise<Outcome> {
    return this.#ask('datagram', host, String(port), String(bytes));
  }

  /** By name: sorted addresses (of an address: names), or an error's code. */
  lookup<Name extends string>(...names: Name[]): Promise<Record<Name, string[] | string>> {
    return this.#ask('lookup', ...names);
  }

  /** From now on: when a name is gone, and when it is back after that. */
  absence(name: string): Promise<{ goneAtMs: number; backAtMs: number }> {
    return this.#ask('absence', name);
  }

  async #ask<T>(...words: string[]): Promise<T> {
    return JSON.parse(await this.#run(words)) as T;
  }
}

/** Names of those who answered, sorted, each once; errors' codes among them. */
export function answerers(outcomes: readonly Outcome[]): string[] {
  const names = outcomes.map((one) => (typeof one === 'string' ? one : one.name));
  return [...new Set(names)].sort();
}

/** The addresses that were seen asking, sorted, each once. */
export function askers(outcomes: readonly Outcome[]): string[] {
  const addresses = outcomes.map((one) => (typeof one === 'string' ? one : one.from));
  return [...new Set(addresses)].sort();
}
