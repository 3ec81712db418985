/**
 * Gives every wanted target a slot, from 0 on and without gaps. Whoever has a slot that stays keeps
 * it: a change moves as few as there are changes, and clients bound to a slot stay where they are.
 */
export function arrange(current: readonly string[], wanted: Iterable<string>): string[] {
  const waiting = new Set(wanted);
  const count = waiting.size;
  const kept = current.slice(0, count).map((target) => waiting.delete(target) && target);
  const newcomers = [...waiting];
  return Array.from({ length: count }, (_, slot) => kept[slot] || (newcomers.shift() ?? ''));
}
