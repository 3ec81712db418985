import { entrance, type Machines } from '@skep/machines';
import { type CliContext, CommandError } from '../context.js';
import { forEach } from './each.js';
import { exportLines, unsetLines } from './environment.js';
import { listTable } from './list.js';
import { type CreateOptions, driverNote, newMachine } from './options.js';

/** What the words of `skep machine` do. */
export class MachineCommands {
  readonly #context: CliContext;
  readonly #machines: Machines;

  constructor(context: CliContext, machines: Machines) {
    this.#context = context;
    this.#machines = machines;
  }

  async create(names: string[], options: CreateOptions): Promise<void> {
    const note = driverNote(options.driver);
    const wanted = names.map((name) => newMachine(name, options));
    if (note !== undefined) this.#context.error(`${note}\n`);
    await forEach(this.#context, names, async (name) => {
      const machine = wanted.find((one) => one.name === name) ?? newMachine(name, options);
      const { address, engine } = await this.#machines.create(machine);
      const what = engine === 'none' ? 'is up' : `is up and running ${engine}`;
      this.#say(`(${name}) Machine ${what}, at ${address}`);
    });
    const [first] = names;
    const howTo = 'To see how to connect your Docker client to it, run: skep machine env';
    this.#say(`${howTo} ${first}`);
  }

  async list({ quiet }: { quiet?: boolean }): Promise<void> {
    if (!quiet) {
      this.#context.out(await listTable(this.#machines, this.#context.env['DOCKER_HOST']));
      return;
    }
    for (const { name } of await this.#machines.list()) this.#say(name);
  }

  async ip(names: string[]): Promise<void> {
    for (const name of names) this.#say((await this.#machines.running(name)).address);
  }

  async url(names: string[]): Promise<void> {
    for (const name of names) this.#say((await this.#machines.running(name)).url);
  }

  async status(names: string[]): Promise<void> {
    for (const name of names) this.#say((await this.#machines.get(name)).state);
  }

  async inspect(names: string[]): Promise<void> {
    for (const name of names) {
      this.#say(JSON.stringify(await this.#machines.get(name), null, 4));
    }
  }

  async environment(name: string | undefined, { unset }: { unset?: boolean }): Promise<void> {
    if (unset) return this.#context.out(unsetLines());
    if (name === undefined) throw new CommandError('Error: Expected one machine name');
    this.#context.out(exportLines(await this.#machines.running(name)));
  }

  async active(): Promise<void> {
    const host = this.#context.env['DOCKER_HOST'];
    const found = (await this.#machines.list()).find(({ url }) => url === host);
    if (!found) throw new CommandError('No active host found');
    this.#say(found.name);
  }

  /** Resolves with the exit code of the command, or of the shell. */
  async ssh(name: string, words: string[]): Promise<number> {
    const { pid } = await this.#machines.running(name);
    return this.#context.foreground(entrance(pid, words, this.#context.env));
  }

  start(names: string[]): Promise<void> {
    return this.#toEach(names, 'was started', (name) => this.#machines.start(name));
  }

  stop(names: string[]): Promise<void> {
    return this.#toEach(names, 'was stopped', (name) => this.#machines.stop(name));
  }

  restart(names: string[]): Promise<void> {
    return this.#toEach(names, 'was restarted', async (name) => {
      await this.#machines.stop(name);
      await this.#machines.start(name);
    });
  }

  kill(names: string[]): Promise<void> {
    return this.#toEach(names, 'was killed', (name) => this.#machines.kill(name));
  }

  disconnect(names: string[]): Promise<void> {
    return this.#toEach(names, 'was disconnected', (name) => this.#machines.disconnect(name));
  }

  connect(names: string[]): Promise<void> {
    return this.#toEach(names, 'was connected', (name) => this.#machines.connect(name));
  }

  async remove(
    given: string[],
    options: { all?: boolean; force?: boolean; y?: boolean },
  ): Promise<void> {
    const names = options.all ? (await this.#machines.list()).map(({ name }) => name) : given;
    if (names.length === 0 && !options.all)
      throw new CommandError('Error: Expected a machine name');
    if (names.length === 0) return;
    if (!options.force && !options.y && !(await this.#isSure(names))) return;
    await forEach(this.#context, names, async (name) => {
      await this.#machines.remove(name);
      this.#say(`Successfully removed ${name}`);
    });
  }

  async #isSure(names: string[]): Promise<boolean> {
    this.#say(`About to remove ${names.join(', ')}`);
    this.#say('WARNING: This action will delete all data of the machine.');
    const answer = await this.#context.ask('Are you sure? (y/n): ');
    return /^y(es)?$/i.test(answer.trim());
  }

  #toEach(names: string[], done: string, work: (name: string) => Promise<void>): Promise<void> {
    return forEach(this.#context, names, async (name) => {
      await work(name);
      this.#say(`Machine "${name}" ${done}.`);
    });
  }

  #say(line: string): void {
    this.#context.out(`${line}\n`);
  }
}
