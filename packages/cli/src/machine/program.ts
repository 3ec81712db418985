import { DEFAULT_STORAGE, ENGINES } from '@skep/machines';
import type { Command } from 'commander';
import { type CliContext, CommandError } from '../context.js';
import { MachineCommands } from './commands.js';
import { type CreateOptions, DRIVER } from './options.js';

/** Directory of another set of machines; every such set has a switch of its own. */
const STORAGE_VARIABLE = 'SKEP_MACHINE_STORAGE_PATH';

interface SetOptions {
  storagePath?: string;
}

const collect = (value: string, values: string[]) => [...values, value];

/** `skep machine` and its words. */
export class MachineProgram {
  readonly #context: CliContext;
  readonly #machine: Command;
  readonly #onExitCode: (code: number) => void;

  constructor(program: Command, context: CliContext, onExitCode: (code: number) => void) {
    this.#context = context;
    this.#onExitCode = onExitCode;
    this.#machine = program
      .command('machine')
      .description('Machines made of namespaces on this host, to learn and to test on')
      .enablePositionalOptions()
      .option('-s, --storage-path <dir>', `Where machines are kept (default ${DEFAULT_STORAGE})`);
    this.#addCreate();
    this.#addLooks();
    this.#addSsh();
    this.#addPower();
    this.#addRemove();
  }

  #addCreate(): void {
    this.#machine
      .command('create')
      .description('Create machines, several at once')
      .argument('<name...>')
      .option('-d, --driver <driver>', "Driver; docker-machine's local ones mean this one", DRIVER)
      .option('--engine <engine>', `What runs in it: ${ENGINES.join(', ')}`, 'skepd')
      .option('--engine-opt <flag=value>', 'Flag of the engine (repeatable)', collect, [])
      .option('--engine-label <key=value>', 'Label of the engine (repeatable)', collect, [])
      .option('--engine-insecure-registry <host>', 'Insecure registry (repeatable)', collect, [])
      .option('--engine-registry-mirror <url>', 'Registry mirror (repeatable)', collect, [])
      .option('--subnet <subnet>', "Subnet of the machines' switch, a /24 (default: a free one)")
      .action((names: string[], options: CreateOptions) =>
        this.#commands(options.subnet).create(names, options),
      );
  }

  #addLooks(): void {
    this.#machine
      .command('ls')
      .alias('list')
      .description('List machines')
      .option('-q, --quiet', 'Names only')
      .action((options: { quiet?: boolean }) => this.#commands().list(options));
    this.#machine
      .command('env')
      .description('Print what points a Docker client at a machine')
      .argument('[name]')
      .option('-u, --unset', 'Unset the variables instead')
      .action((name: string | undefined, options: { unset?: boolean }) =>
        this.#commands().environment(name, options),
      );
    this.#machine
      .command('active')
      .description('Print which machine is active')
      .action(() => this.#commands().active());
    const looks = {
      ip: 'Get the IP address of a machine',
      url: 'Get the URL of a machine',
      status: 'Get the status of a machine',
      inspect: 'Inspect information about a machine',
    } as const;
    this.#addEach(looks);
  }

  #addSsh(): void {
    this.#machine
      .command('ssh')
      .description('Run a command inside a machine, or a shell')
      .argument('<name>')
      .argument('[command...]')
      .passThroughOptions()
      .allowUnknownOption()
      .action(async (name: string, words: string[]) => {
        const command = words[0] === '--' ? words.slice(1) : words;
        this.#onExitCode(await this.#commands().ssh(name, command));
      });
  }

  #addPower(): void {
    this.#addEach({
      start: 'Start a machine',
      stop: 'Stop a machine: engine and containers end in order',
      restart: 'Restart a machine',
      kill: 'Kill a machine: the power fails, every process ends at once',
      disconnect: "Pull a machine's network cable; it runs on",
      connect: "Plug a machine's network cable in again",
    });
  }

  #addRemove(): void {
    this.#machine
      .command('rm')
      .description('Remove machines and all that is in them')
      .argument('[name...]')
      .option('-f, --force', 'Do not ask')
      .option('-y', 'Do not ask')
      .option('-a, --all', 'All machines')
      .action((names: string[], options: { all?: boolean; force?: boolean; y?: boolean }) =>
        this.#commands().remove(names, options),
      );
  }

  /** Words that take one or more machines and do the same to each. */
  #addEach<K extends Exclude<keyof MachineCommands, 'create' | 'list' | 'environment' | 'ssh'>>(
    words: Partial<Record<K, string>>,
  ): void {
    for (const [word, description] of Object.entries(words) as [K, string][]) {
      this.#machine
        .command(word)
        .description(description)
        .argument('<name...>')
        .action((names: string[]) => this.#commands()[word](names, {}));
    }
  }

  #commands(subnet?: string): MachineCommands {
    if (!this.#context.isRoot) {
      throw new CommandError('skep machine needs root: namespaces and networks are made by it');
    }
    const { storagePath } = this.#machine.opts<SetOptions>();
    const storage = storagePath ?? this.#context.env[STORAGE_VARIABLE];
    return new MachineCommands(this.#context, this.#context.machines({ storage, subnet }));
  }
}
