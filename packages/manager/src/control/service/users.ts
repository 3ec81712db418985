import type { ReadView } from '@skep/store';
import { referencedIds } from '../../versions/references.js';
import { type PayloadKind, versionsOf } from '../../versions/versions.js';
import { invalidArgument } from '../errors.js';
import { plural } from '../format.js';

/**
 * Refuses to let go of a secret or config while any service refers to a version of it, even one
 * without tasks.
 */
export function checkUnused(view: ReadView, kind: PayloadKind, name: string): void {
  const ids = new Set(versionsOf(view, kind, name).map(({ id }) => id));
  const users: string[] = [];
  for (const { spec } of view.all('service')) {
    if (referencedIds(spec, kind).some((id) => ids.has(id))) users.push(spec.annotations.name);
  }
  if (users.length === 0) return;
  const services = `${plural('service', users)}: ${users.join(', ')}`;
  throw invalidArgument(`${kind} '${name}' is in use by the following ${services}`);
}
