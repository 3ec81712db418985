import {
  AssignmentChange_AssignmentAction,
  type AssignmentsMessage,
  AssignmentsMessage_Type,
  type Task,
} from '@skep/wire/swarmkit';
import type { DispatcherService } from '../contract.js';

/** What any worker makes of its assignments, as plainly as can be: for comparison with the store. */
export class SimWorker {
  readonly tasks = new Map<string, Task>();
  readonly secrets = new Set<string>();
  readonly configs = new Set<string>();
  messages = 0;
  #reference = '';

  /** Takes in one message. Throws on a gap, and on the removal of what it does not have. */
  receive(message: AssignmentsMessage): void {
    if (message.appliesTo !== this.#reference) throw new Error('a gap in the assignments');
    this.#reference = message.resultsIn;
    this.messages++;
    if (message.type === AssignmentsMessage_Type.COMPLETE) {
      this.tasks.clear();
      this.secrets.clear();
      this.configs.clear();
    }
    for (const { action, assignment } of message.changes) {
      const item = assignment?.item;
      const removes = action === AssignmentChange_AssignmentAction.REMOVE;
      if (item?.case === 'task') {
        if (!removes) this.tasks.set(item.value.id, item.value);
        else if (!this.tasks.delete(item.value.id)) throw new Error('an unknown task removed');
      } else if (item?.case === 'secret' || item?.case === 'config') {
        const ids = item.case === 'secret' ? this.secrets : this.configs;
        if (!removes) ids.add(item.value.id);
        else if (!ids.delete(item.value.id)) throw new Error(`an unknown ${item.case} removed`);
      }
    }
  }

  /** Follows the assignments of a session until the stream ends. */
  async follow(
    dispatcher: DispatcherService,
    nodeId: string,
    sessionId: string,
    signal: AbortSignal,
  ): Promise<void> {
    const request = { $typeName: 'docker.swarmkit.v1.AssignmentsRequest', sessionId } as const;
    for await (const message of dispatcher.assignments(nodeId, request, signal)) {
      this.receive(message);
    }
  }
}
