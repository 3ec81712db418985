import { Code, invariant, RpcError } from '@skep/platform';
import { BACKENDS_PER_PORT_MAX } from '../limits.js';
import { IngressSet, ingressTable, pickChain, pickRules } from '../rules/ingress-table.js';
import type { NftChange, NftElement } from '../rules/nft.js';
import type { PortProtocol } from './contract.js';

/** A published port with one task behind it. */
export interface Backend {
  protocol: PortProtocol;
  publishedPort: number;
  address: string;
  targetPort: number;
}

/** What one change of the balancing means for the kernel. */
export interface BalancerEffect {
  /** For the ingress namespace, in one transaction. */
  changes: NftChange[];
  /** The port got its first backend, or lost its last. */
  port: 'opened' | 'closed' | 'same';
}

function portKey(backend: Backend): string {
  return `${backend.protocol} . ${backend.publishedPort}`;
}

function targetOf(backend: Backend): string {
  return `${backend.address} . ${backend.targetPort}`;
}

function slotElement(key: string, slot: number, target: string): NftElement {
  // nft prints marks with eight hexadecimal digits, and takes them back so.
  return { key: `${key} . 0x${slot.toString(16).padStart(8, '0')}`, value: target };
}

function serviceElement(key: string, count: number): NftElement {
  return { key, value: `goto ${pickChain(count)}` };
}

/**
 * The balancing tables of this node. The backends of a port fill slots 0 … n-1 of one shared map
 * without gaps, so a change touches a handful of elements, however many services there are.
 */
export class Balancer {
  readonly #table: string;
  /** Port → targets by slot. */
  readonly #ports = new Map<string, string[]>();
  /**
   * Numbers of backends that a chain exists for. Chains stay: there are few, and the next scale-up
   * uses them.
   */
  readonly #chains = new Set<number>();

  constructor(table: string) {
    this.#table = table;
  }

  /** Keys of the ports with backends: protocol . port. */
  ports(): string[] {
    return [...this.#ports.keys()];
  }

  add(backend: Backend): BalancerEffect {
    const key = portKey(backend);
    const targets = this.#ports.get(key) ?? [];
    const target = targetOf(backend);
    if (targets.includes(target)) return { changes: [], port: 'same' };
    const count = targets.length + 1;
    if (count > BACKENDS_PER_PORT_MAX) {
      const { publishedPort } = backend;
      const message = `more than ${BACKENDS_PER_PORT_MAX} tasks behind port ${publishedPort}`;
      throw new RpcError(Code.RESOURCE_EXHAUSTED, message);
    }
    const changes: NftChange[] = [];
    const slot = slotElement(key, count - 1, target);
    changes.push(this.#elements('elements-add', IngressSet.BACKENDS, slot));
    changes.push(...this.#recount(key, targets.length, count));
    this.#ports.set(key, [...targets, target]);
    return { changes, port: targets.length === 0 ? 'opened' : 'same' };
  }

  /** The last slot moves into the gap. */
  remove(backend: Backend): BalancerEffect {
    const key = portKey(backend);
    const targets = this.#ports.get(key) ?? [];
    const slot = targets.indexOf(targetOf(backend));
    if (slot < 0) return { changes: [], port: 'same' };
    const count = targets.length - 1;
    const lastTarget = targets[count];
    invariant(lastTarget !== undefined, 'a slot for each backend', { key });
    const { BACKENDS } = IngressSet;
    const gone = slotElement(key, slot, targetOf(backend));
    const changes = this.#recount(key, targets.length, count);
    changes.push(this.#elements('elements-remove', BACKENDS, gone));
    if (slot !== count) {
      const last = slotElement(key, count, lastTarget);
      const moved = slotElement(key, slot, lastTarget);
      changes.push(this.#elements('elements-remove', BACKENDS, last));
      changes.push(this.#elements('elements-add', BACKENDS, moved));
    }
    const left = targets.with(slot, lastTarget).slice(0, count);
    if (count > 0) this.#ports.set(key, left);
    else this.#ports.delete(key);
    return { changes, port: count === 0 ? 'closed' : 'same' };
  }

  /** The whole table as it should be, in place of whatever is there. */
  rebuild(): NftChange[] {
    this.#chains.clear();
    for (const targets of this.#ports.values()) this.#chains.add(targets.length);
    const layout = ingressTable([...this.#chains]);
    const backends = [...this.#ports].flatMap(([key, targets]) =>
      targets.map((target, slot) => slotElement(key, slot, target)),
    );
    const services = [...this.#ports].map(([key, targets]) => serviceElement(key, targets.length));
    return [
      { kind: 'table-replace', table: this.#table, layout },
      this.#elements('elements-add', IngressSet.BACKENDS, ...backends),
      this.#elements('elements-add', IngressSet.SERVICES, ...services),
    ];
  }

  #recount(key: string, from: number, to: number): NftChange[] {
    const changes: NftChange[] = [];
    const { SERVICES } = IngressSet;
    if (from > 0)
      changes.push(this.#elements('elements-remove', SERVICES, serviceElement(key, from)));
    if (to > 0) {
      this.#requireChain(to, changes);
      changes.push(this.#elements('elements-add', SERVICES, serviceElement(key, to)));
    }
    return changes;
  }

  #requireChain(count: number, changes: NftChange[]): void {
    if (this.#chains.has(count)) return;
    this.#chains.add(count);
    const [chain, rules] = [pickChain(count), pickRules(count)];
    changes.push({ kind: 'chain-add', table: this.#table, chain, rules });
  }

  #elements(
    kind: 'elements-add' | 'elements-remove',
    set: string,
    ...elements: NftElement[]
  ): NftChange {
    return { kind, table: this.#table, set, elements };
  }
}
