import type { ApiEvent } from './hub.js';

/** Keys that `docker events --filter` knows. */
export const EVENT_FILTERS = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
] as const;

const OBJECT_FILTERS = [
  'config',
  'container',
  'daemon',
  'network',
  'node',
  'plugin',
  'secret',
  'service',
  'volume',
] as const;

/** Whether an event passes: values of one key are alternatives, keys must all pass. */
export function eventPasses(event: ApiEvent, filters: Record<string, string[]>): boolean {
  const any = (key: string, test: (value: string) => boolean) =>
    !filters[key]?.length || filters[key].some(test);
  return (
    any('type', (value) => value === event.Type) &&
    any('scope', (value) => value === event.scope) &&
    any('event', (value) => actionMatches(event.Action, value)) &&
    any('label', (value) => labelMatches(event.Actor.Attributes, value)) &&
    any('image', (value) => imageMatches(event, value)) &&
    OBJECT_FILTERS.every((key) => any(key, (value) => objectMatches(event, key, value)))
  );
}

/** `health_status` and `exec_start` also pass with their detail (`health_status: healthy`). */
function actionMatches(action: string, wanted: string): boolean {
  return action === wanted || action.startsWith(`${wanted}:`);
}

function labelMatches(attributes: Record<string, string>, wanted: string): boolean {
  const [key = '', ...value] = wanted.split('=');
  if (!(key in attributes)) return false;
  return value.length === 0 || attributes[key] === value.join('=');
}

/** An image filter also passes events of containers made from the image, with or without its tag. */
function imageMatches(event: ApiEvent, wanted: string): boolean {
  const withoutTag = (name: string) => name.replace(/:[^/:]*$/, '');
  const names = [event.Actor.Attributes.image, event.Actor.Attributes.name];
  const candidates = event.Type === 'image' ? [event.Actor.ID, ...names] : names.slice(0, 1);
  return candidates.some((name) => name === wanted || (name && withoutTag(name) === wanted));
}

function objectMatches(event: ApiEvent, type: string, wanted: string): boolean {
  if (event.Type !== type) return false;
  const { ID, Attributes } = event.Actor;
  return ID === wanted || Attributes.name === wanted || (wanted !== '' && ID.startsWith(wanted));
}
