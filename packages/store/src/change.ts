import type { StoreObjects, TableName } from '@skep/wire';

interface Created<T extends TableName> {
  kind: 'create';
  table: T;
  object: StoreObjects[T];
  before?: undefined;
}

interface Updated<T extends TableName> {
  kind: 'update';
  table: T;
  object: StoreObjects[T];
  /** The object as it was. */
  before: StoreObjects[T];
}

interface Removed<T extends TableName> {
  kind: 'remove';
  table: T;
  /** The object as it was. */
  object: StoreObjects[T];
  before?: undefined;
}

/**
 * One change of one table; `Change` is the union over all tables, told apart by `table` and `kind`.
 */
export type ChangeOf<T extends TableName> = Created<T> | Updated<T> | Removed<T>;
export type Change = { [T in TableName]: ChangeOf<T> }[TableName];

/** What one committed entry changed, in the order it was written. */
export interface Commit {
  /** Log index of the entry; 0 for a restored snapshot. */
  index: bigint;
  changes: readonly Change[];
}
