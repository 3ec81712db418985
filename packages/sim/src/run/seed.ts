import { raftKind } from '../raft/kind.js';
import type { Kind, SeedOptions, SeedOutcome } from './kind.js';

/** The kinds, rarest first: a seed is of the first kind whose `every` divides it. The last one's is 1. */
const KINDS: readonly { kind: Kind; every: number }[] = [{ kind: raftKind, every: 1 }];

export interface RunOptions extends SeedOptions {
  /** Name of a kind; unless given, the seed says it. */
  kind?: string;
}

/** Runs one seed from beginning to end. Rejects when there is no such kind, or no such flaw of it. */
export async function runSeed(
  seed: number,
  { kind: name, ...options }: RunOptions = {},
): Promise<SeedOutcome> {
  const found = KINDS.find(({ kind, every }) =>
    name === undefined ? seed % every === 0 : kind.name === name,
  );
  if (found) return await found.kind.run(seed, options);
  const names = KINDS.map(({ kind }) => kind.name).join(', ');
  throw new Error(`no kind of simulation is named ${name}; there are ${names}`);
}
