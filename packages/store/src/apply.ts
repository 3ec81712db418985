import type { Change } from './change.js';
import type { DecodedAction } from './entry.js';
import type { State } from './state.js';

/** Writes a change that was made elsewhere into a state. */
export function putChange(state: State, change: Change): void {
  const object = change.kind === 'remove' ? undefined : change.object;
  state.set(change.table, change.object.id, object as never);
}

/** Takes changes back, last first. */
export function undoChanges(state: State, changes: readonly Change[]): void {
  for (const change of changes.toReversed()) {
    const stood = change.kind === 'remove' ? change.object : change.before;
    state.set(change.table, change.object.id, stood as never);
  }
}

/**
 * Applies the actions of an entry to a state: all of them, or none when one does not fit (a create
 * of what exists, an update or removal of what does not), as on every manager of the swarm
 * (wire-raft.md 4.4). Depends on nothing but its arguments.
 */
export function applyActions(
  state: State,
  actions: readonly DecodedAction[],
): { changes: Change[]; misfit?: DecodedAction } {
  const changes: Change[] = [];
  for (const action of actions) {
    const before = state.get(action.table, action.id);
    if ((action.kind === 'create') === (before !== undefined)) {
      undoChanges(state, changes);
      return { changes: [], misfit: action };
    }
    const change = toChange(action, before);
    putChange(state, change);
    changes.push(change);
  }
  return { changes };
}

function toChange(action: DecodedAction, before: DecodedAction['object'] | undefined): Change {
  const { kind, table, object } = action;
  if (kind === 'create') return { kind, table, object } as Change;
  if (kind === 'update') return { kind, table, object, before } as Change;
  return { kind, table, object: before } as Change;
}
