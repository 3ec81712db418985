/**
 * Remembers what a comparison said about two objects for as long as both are in use. For objects
 * that never change in place, of which many others share a few.
 */
export function memoOfPairs<O extends object, R>(compare: (a: O, b: O) => R): (a: O, b: O) => R {
  const known = new WeakMap<O, WeakMap<O, R>>();
  return (a, b) => {
    let ofFirst = known.get(a);
    if (!ofFirst) known.set(a, (ofFirst = new WeakMap()));
    let result = ofFirst.get(b);
    if (result === undefined) ofFirst.set(b, (result = compare(a, b)));
    return result;
  };
}
