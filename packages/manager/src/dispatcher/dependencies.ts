import type { TaskObject } from '@skep/wire';
import { ResourceType } from '@skep/wire/swarmkit';

export type DependencyKey = `${'secret' | 'config'}/${string}`;

/** The secrets and configs a task needs on its node. */
export function dependenciesOf(task: TaskObject): Set<DependencyKey> {
  const keys = new Set<DependencyKey>();
  const { runtime, resourceReferences } = task.spec;
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

export function splitKey(key: DependencyKey): ['secret' | 'config', string] {
  const slash = key.indexOf('/');
  return [key.slice(0, slash) as 'secret' | 'config', key.slice(slash + 1)];
}
