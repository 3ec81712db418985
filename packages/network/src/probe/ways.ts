import { PROBES_LOST_MAX, PROBES_PER_PERIOD_MAX } from './limits.js';

/** A node at the other end of a way. */
export interface ProbedNode {
  nodeId: string;
  /** Its own in the probed network, without prefix length. */
  address: string;
  /** Where its VXLAN packets come from and go to. */
  tunnelAddress: string;
}

export type ProbeSize = (typeof SIZES)[number];

/** What is wrong with a way. */
export interface BrokenWay {
  node: ProbedNode;
  /** `silent`: nothing comes back. `narrow`: short packets do, full ones do not. */
  trouble: 'silent' | 'narrow';
}

interface Way {
  node: ProbedNode;
  lost: Record<ProbeSize, number>;
}

/** A datagram to send. */
export interface ProbeToSend {
  number: bigint;
  node: ProbedNode;
  size: ProbeSize;
}

const SIZES = ['small', 'full'] as const;

/**
 * Which ways between this node and others carry packets. It asks small and full-sized questions: a path with a smaller MTU, or a network card that spoils checksums, passes the small ones
 * alone. State and input in, datagrams to send out.
 */
export class Ways {
  readonly #ways = new Map<string, Way>();
  readonly #waiting = new Map<bigint, { nodeId: string; size: ProbeSize }>();
  #next = 1n;
  #turn = 0;

  /** These are the nodes to ask now. What is known of those that stay is kept. */
  follow(nodes: readonly ProbedNode[]): void {
    const wanted = new Set(nodes.map(({ nodeId }) => nodeId));
    for (const nodeId of this.#ways.keys()) if (!wanted.has(nodeId)) this.#ways.delete(nodeId);
    for (const node of nodes) {
      const known = this.#ways.get(node.nodeId);
      const isSame =
        known?.node.address === node.address && known.node.tunnelAddress === node.tunnelAddress;
      if (!isSame) this.#ways.set(node.nodeId, { node, lost: { small: 0, full: 0 } });
    }
  }

  /** Begins a period: what to send. */
  ask(): ProbeToSend[] {
    const ways = [...this.#ways.values()];
    const count = Math.min(ways.length, PROBES_PER_PERIOD_MAX);
    const asked = Array.from(
      { length: count },
      (_, at) => ways[(this.#turn + at) % ways.length] as Way,
    );
    this.#turn = ways.length > 0 ? (this.#turn + count) % ways.length : 0;
    return asked.flatMap(({ node }) => SIZES.map((size) => this.#probe(node, size)));
  }

  #probe(node: ProbedNode, size: ProbeSize): ProbeToSend {
    const number = this.#next++;
    this.#waiting.set(number, { nodeId: node.nodeId, size });
    return { number, node, size };
  }

  /** An answer came, from the address of a node. Others' numbers mean nothing. */
  answered(number: bigint, address: string): void {
    const probe = this.#waiting.get(number);
    const way = probe && this.#ways.get(probe.nodeId);
    if (!probe || way?.node.address !== address) return;
    this.#waiting.delete(number);
    way.lost[probe.size] = 0;
    if (probe.size === 'full') way.lost.small = 0;
  }

  /** Time is up for all that was asked. */
  giveUp(): void {
    for (const { nodeId, size } of this.#waiting.values()) {
      const way = this.#ways.get(nodeId);
      if (way) way.lost[size] = Math.min(way.lost[size] + 1, PROBES_LOST_MAX);
    }
    this.#waiting.clear();
  }

  get count(): number {
    return this.#ways.size;
  }

  /** Whether some answer was missing last. */
  get isInDoubt(): boolean {
    return [...this.#ways.values()].some(({ lost }) => lost.small + lost.full > 0);
  }

  broken(): BrokenWay[] {
    return [...this.#ways.values()].flatMap(({ node, lost }): BrokenWay[] => {
      if (lost.small >= PROBES_LOST_MAX) return [{ node, trouble: 'silent' }];
      if (lost.full >= PROBES_LOST_MAX) return [{ node, trouble: 'narrow' }];
      return [];
    });
  }
}
