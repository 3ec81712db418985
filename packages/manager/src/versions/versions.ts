import { create } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import type { StoreObjects } from '@skep/wire';
import { type Annotations, IndexEntrySchema } from '@skep/wire/swarmkit';
import { FORMER_IDS_MAX } from './limits.js';
import { readVersionName, versionName } from './names.js';

/**
 * Secrets and configs have versions: each is an object of its own whose data never changes, so what
 * a task refers to by id is what it runs with, on whatever engine. Users see one object, the newest.
 */
export type PayloadKind = 'secret' | 'config';

/** What a secret or config is in the store. */
export type Payload<K extends PayloadKind = PayloadKind> = StoreObjects[K];

/** Shown, and never stored, on what has been updated: the number of the version. */
export const VERSION_LABEL = 'skep.version';

/** Key of the index entries that hold the ids of earlier versions. */
const FORMER_KEY = 'skep.former';

/** The name that the user gave. */
export function nameOf({ spec }: Payload): string {
  return readVersionName(spec.annotations.name).name;
}

export function numberOf({ spec }: Payload): number {
  return readVersionName(spec.annotations.name).number;
}

/** All versions of a name that are still there, oldest first. Letter case does not tell names apart. */
export function versionsOf<K extends PayloadKind>(
  view: ReadView,
  kind: K,
  name: string,
): Payload<K>[] {
  const wanted = name.toLowerCase();
  return [...view.all(kind)]
    .filter((object) => nameOf(object).toLowerCase() === wanted)
    .sort((a, b) => numberOf(a) - numberOf(b));
}

/** The version that users see, and that services get. */
export function newestOf<K extends PayloadKind>(
  view: ReadView,
  kind: K,
  name: string,
): Payload<K> | undefined {
  return versionsOf(view, kind, name).at(-1);
}

/** The newest version of what has this id, or once had it. */
export function findNewest<K extends PayloadKind>(
  view: ReadView,
  kind: K,
  id: string,
): Payload<K> | undefined {
  const found =
    view.get(kind, id) ?? [...view.all(kind)].find((object) => idsOf(object).includes(id));
  return found && newestOf(view, kind, nameOf(found));
}

/** The newest of each name. */
export function allNewest<K extends PayloadKind>(view: ReadView, kind: K): Payload<K>[] {
  const newest = new Map<string, Payload<K>>();
  for (const object of view.all(kind)) {
    const name = nameOf(object).toLowerCase();
    const other = newest.get(name);
    if (!other || numberOf(other) < numberOf(object)) newest.set(name, object);
  }
  return [...newest.values()];
}

/** The id, and those of earlier versions, which go on to lead here. */
export function idsOf({ id, spec }: Payload): string[] {
  const former = spec.annotations.indices.filter(({ key }) => key === FORMER_KEY);
  return [id, ...former.map(({ val }) => val)];
}

/** The annotations of the version after `newest`. */
export function nextAnnotations(newest: Payload, labels: Annotations['labels']): Annotations {
  const [id = '', ...former] = idsOf(newest);
  const [first = id, ...later] = [...former, id];
  const kept = [first, ...later.slice(-(FORMER_IDS_MAX - 1))];
  return {
    ...newest.spec.annotations,
    name: versionName(nameOf(newest), numberOf(newest) + 1),
    labels,
    indices: kept.map((val) => create(IndexEntrySchema, { key: FORMER_KEY, val })),
  };
}

/** The annotations as users know them. */
export function shownAnnotations(object: Payload): Annotations {
  const { annotations } = object.spec;
  const number = numberOf(object);
  if (number === 1) return annotations;
  const labels = { ...annotations.labels, [VERSION_LABEL]: String(number) };
  return { ...annotations, name: nameOf(object), labels };
}
