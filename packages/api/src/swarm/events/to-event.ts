import type { Timestamp } from '@bufbuild/protobuf/wkt';
import {
  type Node,
  type Object$,
  WatchActionKind,
  type WatchMessage_Event,
} from '@skep/wire/swarmkit';
import type { ApiEvent } from '../../events/hub.js';
import { nodeChanges, serviceChanges } from './attributes.js';

/** Kinds whose changes are events: tasks, the cluster and cluster volumes have none (features.md 5.5). */
export const EVENT_KINDS = ['node', 'service', 'network', 'secret', 'config'] as const;

const ACTIONS: Partial<Record<WatchActionKind, string>> = {
  [WatchActionKind.WATCH_ACTION_CREATE]: 'create',
  [WatchActionKind.WATCH_ACTION_UPDATE]: 'update',
  [WatchActionKind.WATCH_ACTION_REMOVE]: 'remove',
};

const NS_PER_S = 1_000_000_000n;
const NS_PER_MS = 1_000_000;

/** The event of a change, or undefined where there is none to tell. */
export function toEvent(change: WatchMessage_Event, nowMs: number): ApiEvent | undefined {
  const action = ACTIONS[change.action];
  const object = change.object?.object;
  if (!action || !object || !isEventKind(object)) return undefined;
  const { meta } = object.value;
  const time = { create: meta?.createdAt, update: meta?.updatedAt }[action];
  return {
    Type: object.case,
    Action: action,
    Actor: {
      ID: object.value.id,
      Attributes: {
        name: nameOf(object),
        ...changesOf(object, change.oldObject?.object),
      },
    },
    scope: 'swarm',
    timeNano: time ? timestampNs(time) : BigInt(Math.round(nowMs * NS_PER_MS)),
  };
}

type EventObject = Extract<Object$['object'], { case: (typeof EVENT_KINDS)[number] }>;

function isEventKind(object: Object$['object']): object is EventObject {
  return (EVENT_KINDS as readonly (string | undefined)[]).includes(object.case);
}

function nameOf(object: EventObject): string {
  if (object.case === 'node') return nodeName(object.value);
  return object.value.spec?.annotations?.name ?? '';
}

/** Nodes mostly go by their host name. */
export function nodeName({ spec, description }: Node): string {
  return spec?.annotations?.name || description?.hostname || '';
}

function changesOf(
  object: EventObject,
  before: Object$['object'] | undefined,
): Record<string, string> {
  if (object.case === 'node' && before?.case === 'node') {
    return nodeChanges(before.value, object.value);
  }
  if (object.case === 'service' && before?.case === 'service') {
    return serviceChanges(before.value, object.value);
  }
  return {};
}

function timestampNs({ seconds, nanos }: Timestamp): bigint {
  return seconds * NS_PER_S + BigInt(nanos);
}
