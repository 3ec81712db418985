import type { Control } from '@skep/manager';
import type { CompleteServiceSpec } from '@skep/wire';
import { HttpError } from '../server/errors.js';
import { findNetwork } from './lookup.js';

const PREDEFINED = ['bridge', 'host'];

/** Puts ids for the names of a service's networks, in place. Networks of one node alone are refused. */
export async function resolveNetworks(
  control: Control,
  spec: CompleteServiceSpec,
  localNetwork: (nameOrId: string) => Promise<{ name: string } | undefined>,
): Promise<void> {
  const attachments = spec.task.networks.length > 0 ? spec.task.networks : spec.networks;
  for (const attachment of attachments) {
    attachment.target = await networkId(control, attachment.target, localNetwork);
  }
}

async function networkId(
  control: Control,
  target: string,
  localNetwork: (nameOrId: string) => Promise<{ name: string } | undefined>,
): Promise<string> {
  try {
    return (await findNetwork(control, target)).id;
  } catch (error) {
    const local = await localNetwork(target);
    if (!local) throw error;
    if (PREDEFINED.includes(local.name)) return (await findNetwork(control, local.name)).id;
    throw new HttpError(
      403,
      `The network ${local.name} cannot be used with services. Only networks scoped to the swarm ` +
        'can be used, such as those created with the overlay driver.',
    );
  }
}
