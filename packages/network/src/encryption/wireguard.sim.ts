import type { Processes, RunResult } from '@skep/platform';
import type { SimKernel } from '../kernel/simulated/kernel.js';

/** The programs of a host that make and configure WireGuard links, on a simulated kernel. */
export class SimWireGuardPrograms implements Processes {
  readonly installed = new Set(['ip', 'wg', 'wireguard-go']);
  /** The kernel itself has WireGuard. */
  inKernel = false;
  /** Every call, with the program. */
  readonly calls: string[] = [];
  /** What `wg` answers instead of doing its work. */
  refusal: string | undefined;
  readonly #kernel: SimKernel;

  constructor(kernel: SimKernel) {
    this.#kernel = kernel;
  }

  async run(command: string, args: readonly string[]): Promise<RunResult> {
    if (!this.installed.has(command)) {
      throw Object.assign(new Error(`spawn ${command} ENOENT`), { code: 'ENOENT' });
    }
    this.calls.push([command, ...args].join(' '));
    if (args[0] === '--version') return ok();
    if (command === 'ip') return this.inKernel ? this.#addLink(args[2]) : refused('not supported');
    if (command === 'wireguard-go') return this.#addLink(args[0]);
    return this.refusal ? refused(this.refusal) : ok();
  }

  #addLink(name = ''): RunResult {
    this.#kernel.host.addLink(name, '', 1_420);
    return ok();
  }
}

function ok(): RunResult {
  return { code: 0, stdout: '', stderr: '' };
}

function refused(stderr: string): RunResult {
  return { code: 1, stdout: '', stderr };
}
