import { must } from '../engine/index.js';
import { printOf } from './ledger.js';

/** After quiet all managers hold the same, to the byte. `stores` are snapshots by machine. */
export function checkEqualStores(stores: ReadonlyMap<string, Uint8Array>): void {
  let first: { machine: string; print: string } | undefined;
  for (const [machine, bytes] of stores) {
    const print = printOf(bytes);
    first ??= { machine, print };
    const other = first;
    must(
      print === other.print,
      'equal-stores',
      () => `${machine} holds ${print}, ${other.machine} holds ${other.print}`,
    );
  }
}
