import type { Commit, ReadView } from '@skep/store';
import { type TaskSpec, TaskState } from '@skep/wire/swarmkit';
import { must } from '../engine/index.js';

/**
 * Configs, as one manager's store tells of them: none goes that a service has or would go back to, or that a
 * task may still read, and what one holds never changes.
 */
export class ConfigChecker {
  readonly #machine: string;

  constructor(machine: string) {
    this.#machine = machine;
  }

  /** `view` is the state that the commit led to. */
  commit({ changes }: Commit, view: ReadView): void {
    for (const change of changes) {
      if (change.table !== 'config') continue;
      const { id } = change.object;
      if (change.kind === 'remove') this.#checkUnused(id, view);
      if (change.kind !== 'update') continue;
      must(
        Buffer.compare(change.before.spec.data, change.object.spec.data) === 0,
        'config-stays',
        () => `${this.#machine}: config ${id} holds something else`,
      );
    }
  }

  #checkUnused(configId: string, view: ReadView): void {
    const check = (user: string, spec: TaskSpec | undefined) =>
      must(
        !spec || !reads(spec, configId),
        'config-kept',
        () => `${this.#machine}: config ${configId} is removed, and ${user} has it`,
      );
    for (const { id, previousSpec, spec } of view.all('service')) {
      check(`service ${id}`, spec.task);
      check(`service ${id}, if it goes back,`, previousSpec?.task);
    }
    for (const { id, spec, status } of view.all('task')) {
      if (status.state <= TaskState.RUNNING) check(`task ${id}`, spec);
    }
  }
}

function reads({ runtime }: TaskSpec, id: string): boolean {
  return (
    runtime.case === 'container' && runtime.value.configs.some(({ configId }) => configId === id)
  );
}
