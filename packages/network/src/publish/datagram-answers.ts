import type { NetKernel } from '../kernel/contract.js';
import { answerTable } from '../rules/answer-table.js';
import { KeptTable } from '../rules/kept-table.js';
import type { AttachedSandbox, SandboxReader } from '../sandbox/contract.js';
import { bareAddress } from '../sandbox/plan.js';

/** Lets containers behind the mesh answer datagrams under the address that was asked. */
export class DatagramAnswers implements SandboxReader {
  readonly name = 'answers to datagrams';
  readonly #kernel: NetKernel;
  readonly #table: string;

  constructor(options: { kernel: NetKernel; table: string }) {
    this.#kernel = options.kernel;
    this.#table = options.table;
  }

  async added({ namespace, networks }: AttachedSandbox): Promise<void> {
    const ingress = networks.find((network) => network.ingress);
    if (!ingress) return;
    const { link, address } = ingress;
    const layout = answerTable({ link, address: bareAddress(address) });
    const [kernel, table] = [this.#kernel, this.#table];
    await new KeptTable({ kernel, namespace, table, layout }).ensure();
  }

  changed(sandbox: AttachedSandbox): Promise<void> {
    return this.added(sandbox);
  }

  /** The table goes with the namespace. */
  async removed(): Promise<void> {}
}
