import type { ReadView } from '@skep/store';
import { TaskState } from '@skep/wire/swarmkit';
import { type DependencyKey, dependenciesOf } from './references.js';

/**
 * Whether any service runs with this version or would go back to it, or a task that has not ended
 * may still ask for it.
 */
export function isNeeded(view: ReadView, key: DependencyKey): boolean {
  for (const { spec, previousSpec } of view.all('service')) {
    if (dependenciesOf(spec.task).has(key)) return true;
    if (previousSpec && dependenciesOf(previousSpec.task).has(key)) return true;
  }
  for (const { spec, status } of view.all('task')) {
    if (status.state <= TaskState.RUNNING && dependenciesOf(spec).has(key)) return true;
  }
  return false;
}
