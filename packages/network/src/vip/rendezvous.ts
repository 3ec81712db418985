/**
 * The one of `targets` that a client is with: each client ranks them in an order of its own (rendezvous
 * hashing), so clients spread evenly, and those of a target that goes spread over all others.
 */
export function rendezvous(client: string, targets: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestScore = -1;
  for (const target of targets) {
    const score = hash(`${client} ${target}`);
    if (score > bestScore) [best, bestScore] = [target, score];
  }
  return best;
}

/** FNV-1a, its bits then mixed as in MurmurHash3: names of neighbours differ in their last digit only. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let place = 0; place < text.length; place++) {
    state = Math.imul(state ^ text.charCodeAt(place), 0x01000193);
  }
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
