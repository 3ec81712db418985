import type { Change, ReadView } from '@skep/store';
import { nameOf, newestOf, numberOf, shownAnnotations } from './versions.js';

/**
 * A change as users know secrets and configs: a new version is an update, and the end of an old one
 * is nothing at all.
 */
export function shownChange(view: ReadView, change: Change): Change | undefined {
  if (change.table !== 'secret' && change.table !== 'config') return change;
  const { kind, table, object } = change;
  if (kind === 'remove' && newestOf(view, table, nameOf(object))) return undefined;
  if (numberOf(object) === 1) return change;
  const shown = { ...object, spec: { ...object.spec, annotations: shownAnnotations(object) } };
  if (kind !== 'create') return { ...change, object: shown } as Change;
  return { kind: 'update', table, object: shown, before: shown } as Change;
}
