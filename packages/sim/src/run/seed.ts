import { clusterKind } from '../cluster/kind.js';
import { gossipKind } from '../gossip/kind.js';
import { raftKind } from '../raft/kind.js';
import type { Kind, SeedOptions, SeedOutcome } from './kind.js';

/** The kinds, rarest first: a seed is of the first kind whose `every` divides it. The last one's is 1. */
const KINDS: readonly { kind: Kind; every: number }[] = [
  { kind: clusterKind, every: 8 },
  { kind: gossipKind, every: 5 },
  { kind: raftKind, every: 1 },
];

export interface RunOptions extends SeedOptions {
  /** Name of a kind; unless given, the seed says it, of those that know the flaws. */
  kind?: string;
}

/** Runs one seed from beginning to end. Rejects when there is no such kind, or no such flaw of it. */
export async function runSeed(
  seed: number,
  { kind: name, ...options }: RunOptions = {},
): Promise<SeedOutcome> {
  const { flaws = new Set<string>(), onlyFaults = [] } = options;
  const found = KINDS.find(({ kind, every }) => {
    if (name !== undefined) return kind.name === name;
    const isApt =
      [...flaws].every((flaw) => kind.flaws.includes(flaw)) &&
      onlyFaults.every((fault) => kind.faultKinds.includes(fault));
    return every === 1 || (seed % every === 0 && isApt);
  });
  if (found) return await found.kind.run(seed, options);
  const names = KINDS.map(({ kind }) => kind.name).join(', ');
  throw new Error(`no kind of simulation is named ${name}; there are ${names}`);
}
