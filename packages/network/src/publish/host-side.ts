import { ElementDiff } from '../balance/element-diff.js';
import { HOST, type KernelCommand, type NetKernel } from '../kernel/contract.js';
import { KeptTable } from '../rules/kept-table.js';
import { MeshSet, meshTable } from '../rules/mesh-table.js';
import { bareAddress } from '../sandbox/plan.js';
import type { MeshEffect } from './mesh-state.js';
import type { Uplink } from './uplink.js';

export interface HostSideOptions {
  kernel: NetKernel;
  table: string;
  uplink: Uplink;
}

/** The mesh's part on the host: it hands connections to published ports to the ingress namespace. */
export class HostSide {
  readonly #options: HostSideOptions;
  readonly #table: KeptTable;

  constructor(options: HostSideOptions) {
    this.#options = options;
    const { kernel, table, uplink } = options;
    const { link: ingressLink, addresses } = uplink;
    const layout = meshTable({ ingressLink, ingressAddress: bareAddress(addresses.inner) });
    this.#table = new KeptTable({ kernel, namespace: HOST, table, layout });
  }

  commands({ opened, closed }: MeshEffect): KernelCommand[] {
    const diff = new ElementDiff();
    for (const key of opened) diff.note(MeshSet.PUBLISHED, key, undefined, '');
    for (const key of closed) diff.note(MeshSet.PUBLISHED, key, '', undefined);
    return this.#table.commands(diff);
  }

  /** Resolves how much was not as it should be. Rejects with what the kernel refuses. */
  compare(ports: readonly string[], ambiguousSubnets: readonly string[]): Promise<number> {
    return this.#table.compare(() => {
      const wanted = new ElementDiff();
      for (const key of ports) wanted.note(MeshSet.PUBLISHED, key, undefined, '');
      for (const subnet of ambiguousSubnets) wanted.note(MeshSet.AMBIGUOUS, subnet, undefined, '');
      return wanted;
    });
  }

  /** See {@link KeptTable.distrust}. */
  distrust(): void {
    this.#table.distrust();
  }

  /** To be run with `continue`. */
  removal(): KernelCommand {
    const { table } = this.#options;
    return { op: 'nft', namespace: HOST, changes: [{ kind: 'table-remove', table }] };
  }
}
