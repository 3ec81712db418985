import { timingSafeEqual } from 'node:crypto';
import { create, equals } from '@bufbuild/protobuf';
import { newId } from '@skep/platform';
import { EntryTooLargeError, SequenceError, type Store, type Transaction } from '@skep/store';
import {
  type Annotations,
  type ConfigSpec,
  type Driver,
  DriverSchema,
  type SecretSpec,
  type Version,
} from '@skep/wire/swarmkit';
import { commitPlan } from '../../loop/plan.js';
import { VERSIONS_MAX } from '../../versions/limits.js';
import { isNeeded } from '../../versions/needed.js';
import { planRest, rolledServices, withRolling } from '../../versions/roll.js';
import {
  findNewest,
  nameOf,
  newestOf,
  nextAnnotations,
  type Payload,
  type PayloadKind,
  VERSION_LABEL,
  versionsOf,
} from '../../versions/versions.js';
import type { ControlContext } from '../context.js';
import { alreadyExists, failedPrecondition, invalidArgument, notFound } from '../errors.js';
import { checkUnused } from '../service/users.js';

/** What secrets and configs have in common. */

type SpecOf<K extends PayloadKind> = { secret: SecretSpec; config: ConfigSpec }[K];

/** Adds the first version of a name. */
export async function createPayload<K extends PayloadKind>(
  store: Store,
  kind: K,
  made: Payload<K>,
): Promise<Payload<K>> {
  const { name, labels } = made.spec.annotations;
  if (Object.hasOwn(labels, VERSION_LABEL)) {
    throw invalidArgument(`label ${VERSION_LABEL} is set by the engine alone`);
  }
  return store.update((tx) => {
    if (newestOf(tx, kind, name)) throw alreadyExists(`${kind} ${name} already exists`);
    return tx.create(kind, made);
  });
}

export interface PayloadUpdate<K extends PayloadKind> {
  id: string;
  /** What the caller has read. */
  version: Version;
  spec: SpecOf<K>;
  /** Refuses what cannot be stored. */
  check(spec: SpecOf<K>): void;
}

/**
 * Changes the labels; or, when the data or how it is a template is another, makes a new version and
 * gives it to every service that has one of this name. Resolves when all of them have it.
 */
export async function updatePayload<K extends PayloadKind>(
  { store, random, clock }: ControlContext,
  kind: K,
  update: PayloadUpdate<K>,
): Promise<Payload<K>> {
  const nowMs = clock.now();
  const write = (tx: Transaction, rollNow: boolean): Payload<K> => {
    const newest = readNewest(tx, kind, update);
    const spec = changedSpec(newest, update);
    if (isSameContent(spec, newest.spec)) return tx.update(kind, { ...newest, spec });
    checkRoom(tx, kind, newest);
    const { labels } = spec.annotations;
    const next = {
      ...newest,
      id: newId(random),
      spec: { ...spec, annotations: nextAnnotations(newest, labels) },
    };
    const made = tx.create(kind, withRolling<Payload<K>>(next, !rollNow));
    const services = rollNow ? rolledServices(tx, kind, nameOf(made), nowMs) : [];
    for (const service of services) tx.update('service', service);
    return made;
  };
  try {
    return await store.update((tx) => write(tx, true));
  } catch (error) {
    if (!(error instanceof EntryTooLargeError)) throw error;
  }
  const made = await store.update((tx) => write(tx, false));
  const rest = () => commitPlan(store, (view) => planRest(view, kind, nameOf(made), nowMs));
  await rest(); // the services
  await rest(); // that they are done
  return made;
}

function readNewest<K extends PayloadKind>(
  tx: Transaction,
  kind: K,
  { id, version, spec }: PayloadUpdate<K>,
): Payload<K> {
  const newest = findNewest(tx, kind, id);
  if (!newest) throw notFound(kind, id);
  if (spec.annotations?.name !== nameOf(newest) || hasOtherDriver(spec, newest.spec)) {
    throw invalidArgument('only updates to Labels are allowed');
  }
  if (newest.meta.version.index !== version.index) throw new SequenceError();
  return newest;
}

/** Where a secret's data comes from cannot be changed. */
function hasOtherDriver(given: SecretSpec | ConfigSpec, stored: Payload['spec']): boolean {
  const driver = 'driver' in given ? given.driver : undefined;
  return (
    driver !== undefined && !isSameDriver(driver, 'driver' in stored ? stored.driver : undefined)
  );
}

/** The stored spec with what was given in its place; who gives no data leaves it as it is. */
function changedSpec<K extends PayloadKind>(
  newest: Payload<K>,
  { spec: given, check }: PayloadUpdate<K>,
): Payload<K>['spec'] {
  const { [VERSION_LABEL]: _, ...labels } = given.annotations?.labels ?? {};
  const annotations: Annotations = { ...newest.spec.annotations, labels };
  const templating =
    given.templating ?? (given.data.length > 0 ? undefined : newest.spec.templating);
  const data = given.data.length > 0 ? given.data : newest.spec.data;
  if (given.data.length > 0) check(given);
  return { ...newest.spec, annotations, data, templating };
}

function isSameContent(a: Payload['spec'], b: Payload['spec']): boolean {
  const sameData = a.data.length === b.data.length && timingSafeEqual(a.data, b.data);
  return sameData && isSameDriver(a.templating, b.templating);
}

function isSameDriver(a: Driver | undefined, b: Driver | undefined): boolean {
  const none = create(DriverSchema);
  return equals(DriverSchema, a ?? none, b ?? none);
}

/** Refuses a version more when too many are in use. */
function checkRoom(tx: Transaction, kind: PayloadKind, newest: Payload): void {
  const versions = versionsOf(tx, kind, nameOf(newest));
  if (versions.length < VERSIONS_MAX) return;
  const needed = versions.filter(({ id }) => isNeeded(tx, `${kind}/${id}`)).length;
  if (needed < VERSIONS_MAX) return;
  throw failedPrecondition(
    `${needed} versions of ${kind} '${nameOf(newest)}' are in use, which is the most there may be; ` +
      'wait until the services that use it have been updated',
  );
}

/** Removes a name with all its versions, unless a service uses one of them. */
export async function removePayload(store: Store, kind: PayloadKind, id: string): Promise<void> {
  const found = findNewest(store.view, kind, id);
  if (!found) throw notFound(kind, id);
  // One at a time, for an entry holds what it removes; the newest last, which stands for the name.
  for (const version of versionsOf(store.view, kind, nameOf(found))) {
    await store.update((tx) => {
      checkUnused(tx, kind, nameOf(found));
      if (tx.get(kind, version.id)) tx.remove(kind, version.id);
    });
  }
}
