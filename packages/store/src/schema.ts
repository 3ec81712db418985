import type { StoreObjects, TableName } from '@skep/wire';
import type { StoreAction } from '@skep/wire/swarmkit';

/** What the store knows about each table beyond its objects' types. */
interface TableSchema<T extends TableName> {
  /**
   * The object's unique name, or undefined where names may repeat (nodes, tasks).
   * Compared in lower case within the table (wire-raft.md 4.4).
   */
  uniqueName(object: StoreObjects[T]): string | undefined;
}

export const TABLES: { [T in TableName]: TableSchema<T> } = {
  cluster: { uniqueName: (cluster) => cluster.spec.annotations.name },
  config: { uniqueName: (config) => config.spec.annotations.name },
  extension: { uniqueName: (extension) => extension.annotations.name },
  network: { uniqueName: (network) => network.spec.annotations.name },
  node: { uniqueName: () => undefined },
  resource: { uniqueName: (resource) => resource.annotations.name },
  secret: { uniqueName: (secret) => secret.spec.annotations.name },
  service: { uniqueName: (service) => service.spec.annotations.name },
  task: { uniqueName: () => undefined },
  volume: { uniqueName: (volume) => volume.spec.annotations.name },
};

export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

/** Table of a store action, or undefined when the action names none we know. */
export function actionTable(action: StoreAction): TableName | undefined {
  return action.target.case;
}

/** Where a table's objects stand in a `StoreSnapshot`. */
export const SNAPSHOT_FIELDS = {
  cluster: 'clusters',
  config: 'configs',
  extension: 'extensions',
  network: 'networks',
  node: 'nodes',
  resource: 'resources',
  secret: 'secrets',
  service: 'services',
  task: 'tasks',
  volume: 'volumes',
} as const satisfies Record<TableName, string>;
