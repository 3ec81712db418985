import { SimClock, silentLogger } from '@skep/platform';
import { slotKey } from '../balance/layout.js';
import { BalanceSet } from '../balance/sets.js';
import { SimKernel } from '../kernel/simulated/kernel.js';
import { Names } from '../names.js';
import { SimPortHolder } from '../ports/holder.sim.js';
import { IngressSet } from '../rules/ingress-table.js';
import { MeshSet } from '../rules/mesh-table.js';
import type { NetworkEndpoint } from '../tables/contract.js';
import { endpointOf, networkOf, nodeOf } from '../tables/objects.sim.js';
import { Tables } from '../tables/tables.js';
import { Mesh } from './mesh.js';
import { SimPlaces } from './places.sim.js';

/** The ingress network of the tests, on a node with the address 10.0.1.2: `n1` of its rows. */
export const INGRESS = networkOf('net', { ingress: true });
export const HERE = nodeOf('n1');
export const THERE = nodeOf('n2');
export const DOCKER = nodeOf('n3', { ownAgent: false });

/** A ready task of the service `web`, port 80 published as 8080. */
export function taskOf(id: string, more: Partial<NetworkEndpoint> = {}): NetworkEndpoint {
  const ports = [{ protocol: 'tcp' as const, targetPort: 80, publishedPort: 8080 }];
  return endpointOf(id, { serviceId: 'web', ports, ...more });
}

/** One node's mesh on a simulated kernel, which outlives the daemon. */
export class SimMesh {
  readonly kernel: SimKernel;
  readonly names = new Names({ prefix: 'skep', execRoot: '/run' });
  readonly places: SimPlaces;
  readonly holder = new SimPortHolder();
  readonly clock = new SimClock();
  readonly tables = new Tables();
  readonly mesh: Mesh;
  readonly namespace = this.names.overlayNamespace(INGRESS.id);

  constructor(kernel = new SimKernel()) {
    this.kernel = kernel;
    this.places = new SimPlaces(this);
    this.mesh = new Mesh({
      kernel,
      names: this.names,
      holder: this.holder,
      clock: this.clock,
      logger: silentLogger,
      places: this.places,
      addresses: { host: '172.19.0.1/30', inner: '172.19.0.2/30' },
      bridgeSubnets: { bridge: '172.17.0.0/16', gateway: '172.18.0.0/16' },
      mtuBytes: 1_500,
    });
    this.tables.addReader(this.mesh);
  }

  get inner() {
    return this.kernel.at(this.namespace);
  }

  /** Backends by port, as the kernel would pick them. Throws where a pick could miss. */
  balanced(): Record<string, string[]> {
    const sets = this.inner.tables.get(this.names.table)?.sets;
    const slots = sets?.get(BalanceSet.BACKENDS)?.elements ?? new Map<string, string>();
    let used = 0;
    const picked = [...(sets?.get(BalanceSet.SERVICES)?.elements.keys() ?? [])].map((key) => {
      const verdict = this.verdict(key) ?? '';
      const targets = Array.from({ length: Number(/\d+$/.exec(verdict)?.[0]) }, (_, slot) => {
        const target = slots.get(slotKey(key, slot));
        if (!target) throw new Error(`${key} has no slot ${slot} for ${verdict}`);
        return target;
      });
      used += targets.length;
      return [key, [...new Set(targets)].sort()] as const;
    });
    if (slots.size !== used) throw new Error(`${slots.size} slots, ${used} in use`);
    return Object.fromEntries(picked);
  }

  published(): string[] {
    return this.#keys(this.kernel.host.tables.get(this.names.meshTable), MeshSet.PUBLISHED);
  }

  elsewhere(): Record<string, string> {
    const table = this.inner.tables.get(this.names.table);
    return Object.fromEntries(table?.sets.get(IngressSet.ELSEWHERE)?.elements ?? []);
  }

  verdict(key: string): string | undefined {
    const table = this.inner.tables.get(this.names.table);
    const mark = table?.sets.get(BalanceSet.SERVICES)?.elements.get(key) ?? '';
    return table?.sets.get(BalanceSet.PICKS)?.elements.get(mark);
  }

  #keys(table: ReturnType<SimKernel['host']['tables']['get']>, set: string): string[] {
    return [...(table?.sets.get(set)?.elements.keys() ?? [])];
  }
}
