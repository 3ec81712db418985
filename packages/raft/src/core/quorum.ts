/** Arithmetic of majorities. */

export type Verdict = 'won' | 'lost' | 'open';

/** How many of `count` voters make a majority; 1 of none, which is never reached. */
export function quorumOf(count: number): number {
  return (count >> 1) + 1;
}

/**
 * The largest index that a majority has reached, given each voter's; 0 without voters. Sorts its
 * argument in place (by insertion: there are seven at most in practice, and this runs at every
 * acknowledgement).
 */
export function quorumIndex(reached: bigint[]): bigint {
  for (let end = 1; end < reached.length; end++) {
    const value = reached[end]!;
    let at = end;
    while (at > 0 && reached[at - 1]! < value) {
      reached[at] = reached[at - 1]!;
      at--;
    }
    reached[at] = value;
  }
  return reached[quorumOf(reached.length) - 1] ?? 0n;
}

/** What the votes so far amount to. Without voters nobody wins. */
export function tally(voters: ReadonlySet<bigint>, votes: ReadonlyMap<bigint, boolean>): Verdict {
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === true) granted++;
    else if (vote === false) refused++;
  }
  const quorum = quorumOf(voters.size);
  if (granted >= quorum) return 'won';
  return refused > voters.size - quorum ? 'lost' : 'open';
}
