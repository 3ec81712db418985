import { create } from '@bufbuild/protobuf';
import { BoundedQueue, Code, QueueOverflowError, RpcError } from '@skep/platform';
import type { Change, Commit, ReadView, Store } from '@skep/store';
import type { TableName } from '@skep/wire';
import {
  type Object$,
  ObjectSchema,
  VersionSchema,
  WatchActionKind,
  type WatchMessage,
  type WatchMessage_Event,
  WatchMessage_EventSchema,
  WatchMessageSchema,
  type WatchRequest,
  type WatchRequest_WatchEntry,
} from '@skep/wire/swarmkit';
import type { WatchService } from '../contract.js';
import { shownChange } from '../versions/shown-change.js';
import { WATCH_MESSAGES_MAX } from './limits.js';
import { selects } from './selectors.js';

const ACTIONS = {
  create: WatchActionKind.WATCH_ACTION_CREATE,
  update: WatchActionKind.WATCH_ACTION_UPDATE,
  remove: WatchActionKind.WATCH_ACTION_REMOVE,
} as const;

const KINDS: readonly string[] = [
  'cluster',
  'config',
  'extension',
  'network',
  'node',
  'resource',
  'secret',
  'service',
  'task',
  'volume',
] satisfies TableName[];

/**
 * The change feed of a store. The first message is empty and says that the watch has begun: every commit
 * after it is seen. Each later message holds what one commit changed, of what was asked for.
 */
export class StoreWatch implements WatchService {
  readonly #store: Store;
  readonly #limit: number;

  /** `limit` bounds the messages that wait for one slow watcher. */
  constructor(store: Store, limit = WATCH_MESSAGES_MAX) {
    this.#store = store;
    this.#limit = limit;
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchMessage> {
    checkRequest(request);
    const queue = new BoundedQueue<WatchMessage>(this.#limit);
    queue.push(create(WatchMessageSchema));
    const unsubscribe = this.#store.subscribe((commit) => {
      const message = messageFor(request, commit, this.#store.view);
      if (message) queue.push(message);
    });
    const end = () => queue.end();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      yield* queue;
    } catch (error) {
      if (!(error instanceof QueueOverflowError)) throw error;
      throw new RpcError(Code.RESOURCE_EXHAUSTED, error.message, { cause: error });
    } finally {
      unsubscribe();
      signal.removeEventListener('abort', end);
    }
  }
}

function checkRequest(request: WatchRequest): void {
  if (request.resumeFrom) {
    throw new RpcError(Code.UNIMPLEMENTED, 'resuming a watch from a version is not supported');
  }
  const unknown = request.entries.find(({ kind }) => !KINDS.includes(kind));
  if (unknown) {
    throw new RpcError(Code.INVALID_ARGUMENT, `unrecognized object kind ${unknown.kind}`);
  }
}

function messageFor(
  request: WatchRequest,
  commit: Commit,
  view: ReadView,
): WatchMessage | undefined {
  const events = commit.changes
    .flatMap((change) => shownChange(view, change) ?? [])
    .filter((change) => request.entries.some((entry) => wants(entry, change)))
    .map((change) => toEvent(change, request.includeOldObject));
  if (events.length === 0) return undefined;
  const version = create(VersionSchema, { index: commit.index });
  return create(WatchMessageSchema, { events, version });
}

/** `action` is a set of bits; none of them means all. */
function wants({ kind, action, filters }: WatchRequest_WatchEntry, change: Change): boolean {
  if (kind !== change.table) return false;
  if (action !== 0 && (action & ACTIONS[change.kind]) === 0) return false;
  return filters.every((filter) => selects(filter, change));
}

function toEvent(change: Change, withOld: boolean): WatchMessage_Event {
  return create(WatchMessage_EventSchema, {
    action: ACTIONS[change.kind],
    object: wrap(change.table, change.object),
    oldObject: withOld && change.before ? wrap(change.table, change.before) : undefined,
  });
}

function wrap(table: TableName, value: object): Object$ {
  return create(ObjectSchema, { object: { case: table, value } as Object$['object'] });
}
