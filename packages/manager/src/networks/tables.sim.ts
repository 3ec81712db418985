import { toJsonString } from '@bufbuild/protobuf';
import {
  Gone_Kind,
  NetworkEndpointSchema,
  NetworkNodeSchema,
  NetworkServiceSchema,
  type NetworksUpdate,
  OverlayNetworkSchema,
} from '@skep/wire/skep';

/** What any node makes of the updates it gets, as plainly as can be: for comparison with the store. */
export class SimTables {
  readonly #rows = new Map<string, string>();
  /** More of the last update is to come. */
  #isContinued = false;

  /** One line a row, sorted. */
  get lines(): string[] {
    return [...this.#rows].map(([key, row]) => `${key} ${row}`).sort();
  }

  static of(update: NetworksUpdate): SimTables {
    const tables = new SimTables();
    tables.apply(update);
    return tables;
  }

  /** Takes a message in; all of an update's count as one. */
  apply(update: NetworksUpdate): void {
    if (update.complete && !this.#isContinued) this.#rows.clear();
    this.#isContinued = update.continued;
    for (const { id, kind, networkId } of update.gone) {
      this.#rows.delete(`${networkId} ${Gone_Kind[kind]} ${id}`);
      if (kind === Gone_Kind.NETWORK) this.#forget(networkId);
    }
    for (const row of update.networks) {
      this.#rows.set(`${row.id} NETWORK `, toJsonString(OverlayNetworkSchema, row));
    }
    for (const row of update.nodes) {
      this.#put(row.networkId, `NODE ${row.nodeId}`, toJsonString(NetworkNodeSchema, row));
    }
    for (const row of update.services) {
      const text = toJsonString(NetworkServiceSchema, row);
      this.#put(row.networkId, `SERVICE ${row.serviceId}`, text);
    }
    for (const row of update.endpoints) {
      this.#put(row.networkId, `ENDPOINT ${row.id}`, toJsonString(NetworkEndpointSchema, row));
    }
  }

  /** Whether a task takes part in balancing and names in any network. */
  isReady(taskId: string): boolean {
    return this.lines.some(
      (line) => line.includes(` ENDPOINT ${taskId} `) && line.includes('"ready":true'),
    );
  }

  /** All is gone, as the kernel's state is with the power. */
  clear(): void {
    this.#rows.clear();
  }

  /** Of a network that is not known nothing is kept. */
  #put(networkId: string, key: string, row: string): void {
    if (this.#rows.has(`${networkId} NETWORK `)) this.#rows.set(`${networkId} ${key}`, row);
  }

  #forget(networkId: string): void {
    for (const key of [...this.#rows.keys()]) {
      if (key.startsWith(`${networkId} `)) this.#rows.delete(key);
    }
  }
}
