import type { AssignmentSet } from './assignment-set.js';
import type { NodeStream } from './stream.js';

export interface AssignmentStream {
  stream: NodeStream;
  set: AssignmentSet;
}

/** A node's session: its id, and the streams open under it. */
export class NodeSession {
  readonly nodeId: string;
  readonly id: string;
  /** The stream of session messages; a node that describes itself anew opens another. */
  main: NodeStream | undefined;
  readonly assignments = new Set<AssignmentStream>();

  constructor(nodeId: string, id: string) {
    this.nodeId = nodeId;
    this.id = id;
  }

  /** Tells the streams of a task that may have changed. */
  markTask(taskId: string): void {
    for (const { stream, set } of this.assignments) {
      set.mark(taskId);
      stream.wake();
    }
  }

  /** Ends all streams. */
  end(reason: 'moved' | 'replaced'): void {
    this.main?.end(reason);
    for (const { stream } of this.assignments) stream.end(reason);
    this.assignments.clear();
  }
}
