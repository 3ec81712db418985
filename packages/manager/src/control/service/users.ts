import type { ReadView } from '@skep/store';
import type { ConfigObject, SecretObject } from '@skep/wire';
import { invalidArgument } from '../errors.js';
import { plural } from '../format.js';

/** Refuses to let go of a secret or config while any service refers to it, even one without tasks. */
export function checkUnused(
  view: ReadView,
  kind: 'secret' | 'config',
  object: SecretObject | ConfigObject,
): void {
  const users: string[] = [];
  for (const { spec } of view.all('service')) {
    const { runtime } = spec.task;
    if (runtime.case !== 'container') continue;
    const ids =
      kind === 'secret'
        ? runtime.value.secrets.map((reference) => reference.secretId)
        : runtime.value.configs.map((reference) => reference.configId);
    if (ids.includes(object.id)) users.push(spec.annotations.name);
  }
  if (users.length === 0) return;
  const { name } = object.spec.annotations;
  const services = `${plural('service', users)}: ${users.join(', ')}`;
  throw invalidArgument(`${kind} '${name}' is in use by the following ${services}`);
}
