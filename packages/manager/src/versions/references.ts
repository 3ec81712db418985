import type { ReadView } from '@skep/store';
import type { CompleteServiceSpec, ServiceObject } from '@skep/wire';
import { type ContainerSpec, ResourceType, type TaskSpec } from '@skep/wire/swarmkit';
import { findNewest, nameOf, type PayloadKind } from './versions.js';

export type DependencyKey = `${PayloadKind}/${string}`;

/** Specs never change in place, and tasks share theirs. */
const known = new WeakMap<TaskSpec, ReadonlySet<DependencyKey>>();

/** The secrets and configs, each in one version, that tasks of a spec need on their node. */
export function dependenciesOf(spec: TaskSpec): ReadonlySet<DependencyKey> {
  let keys = known.get(spec);
  if (!keys) known.set(spec, (keys = readDependencies(spec)));
  return keys;
}

function readDependencies(spec: TaskSpec): Set<DependencyKey> {
  const keys = new Set<DependencyKey>();
  const { runtime, resourceReferences } = spec;
  if (runtime.case === 'container') {
    for (const { secretId } of runtime.value.secrets) keys.add(`secret/${secretId}`);
    for (const { configId } of runtime.value.configs) keys.add(`config/${configId}`);
  }
  for (const { resourceId, resourceType } of resourceReferences) {
    if (resourceType === ResourceType.SECRET) keys.add(`secret/${resourceId}`);
    else if (resourceType === ResourceType.CONFIG) keys.add(`config/${resourceId}`);
  }
  return keys;
}

export function splitKey(key: DependencyKey): [PayloadKind, string] {
  const slash = key.indexOf('/');
  return [key.slice(0, slash) as PayloadKind, key.slice(slash + 1)];
}

/** The ids of one kind that a service's spec refers to. */
export function referencedIds(spec: CompleteServiceSpec, kind: PayloadKind): string[] {
  const { runtime } = spec.task;
  if (runtime.case !== 'container') return [];
  return kind === 'secret'
    ? runtime.value.secrets.map(({ secretId }) => secretId)
    : runtime.value.configs.map(({ configId }) => configId);
}

/** Says what id to refer to instead. */
type Redirect = (kind: PayloadKind, id: string, name: string) => string;

/** The spec with other versions of what it refers to; the same object when none is another. */
export function redirected(spec: CompleteServiceSpec, redirect: Redirect): CompleteServiceSpec {
  const { runtime } = spec.task;
  if (runtime.case !== 'container') return spec;
  const container = redirectedContainer(runtime.value, redirect);
  if (container === runtime.value) return spec;
  const task = { ...spec.task, runtime: { case: 'container' as const, value: container } };
  return { ...spec, task };
}

function redirectedContainer(container: ContainerSpec, redirect: Redirect): ContainerSpec {
  let changed = false;
  const instead = (kind: PayloadKind, id: string, name: string) => {
    const other = redirect(kind, id, name);
    changed ||= other !== id;
    return other;
  };
  const secrets = container.secrets.map((reference) => ({
    ...reference,
    secretId: instead('secret', reference.secretId, reference.secretName),
  }));
  const configs = container.configs.map((reference) => ({
    ...reference,
    configId: instead('config', reference.configId, reference.configName),
  }));
  return changed ? { ...container, secrets, configs } : container;
}

/**
 * The spec a user gave, with the newest version wherever it names what has versions by an old id.
 * What the stored service refers to already stays: after a rollback that is meant.
 */
export function withNewest(
  view: ReadView,
  spec: CompleteServiceSpec,
  stored?: ServiceObject,
): CompleteServiceSpec {
  return redirected(spec, (kind, id, name) => {
    if (stored && referencedIds(stored.spec, kind).includes(id) && view.get(kind, id)) return id;
    const newest = findNewest(view, kind, id);
    return newest && nameOf(newest) === name ? newest.id : id;
  });
}
