import { Code, RpcError } from '@skep/platform';
import type { NetworksUpdate } from '@skep/wire/skep';
import { UPDATE_ROWS_MAX } from './limits.js';

/** Puts updates together that come in several messages. */
export class UpdateParts {
  #begun: NetworksUpdate | undefined;

  /** The whole update when this was its last message. Throws RESOURCE_EXHAUSTED past the limit. */
  add(message: NetworksUpdate): NetworksUpdate | undefined {
    const update = this.#begun ? joined(this.#begun, message) : message;
    if (rowsOf(update) > UPDATE_ROWS_MAX) {
      throw new RpcError(Code.RESOURCE_EXHAUSTED, 'the manager tells of too many rows at once');
    }
    this.#begun = message.continued ? update : undefined;
    return message.continued ? undefined : update;
  }
}

/** The first takes what the second holds; of a version that holds for both. */
function joined(update: NetworksUpdate, message: NetworksUpdate): NetworksUpdate {
  update.version = message.version;
  update.continued = message.continued;
  for (const row of message.networks) update.networks.push(row);
  for (const row of message.nodes) update.nodes.push(row);
  for (const row of message.services) update.services.push(row);
  for (const row of message.endpoints) update.endpoints.push(row);
  for (const row of message.gone) update.gone.push(row);
  return update;
}

function rowsOf({ endpoints, gone, networks, nodes, services }: NetworksUpdate): number {
  return endpoints.length + gone.length + networks.length + nodes.length + services.length;
}
