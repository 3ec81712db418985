import type { TaskSpec } from '@skep/wire/swarmkit';

/** What kind of thing a task spec runs: `container`, `attachment`, a plugin's kind, or undefined. */
export function runtimeName({ runtime }: TaskSpec): string | undefined {
  return runtime.case === 'generic' ? runtime.value.kind : runtime.case;
}
