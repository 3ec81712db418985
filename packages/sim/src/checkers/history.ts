/** What a client asked of one key. */
export type Input =
  | { kind: 'read' }
  | { kind: 'write'; value: string }
  /** Adds an element to the list, and learns the whole list. */
  | { kind: 'append'; element: string }
  /** Replaces `from` by `to`; recorded only when it did, or may have done so. */
  | { kind: 'cas'; from: string; to: string };

/** One call of a client, with its place in the order of all calls and answers. */
export interface Operation {
  client: string;
  key: string;
  input: Input;
  calledAt: number;
  /** Undefined when the outcome is not known: it may take effect at any time after the call, or never. */
  returnedAt: number | undefined;
  /** Of reads and appends that were answered. */
  output: string | undefined;
}

/** Collects what clients did. Order is by number, not by time: one event, one number. */
export class History {
  readonly operations: Operation[] = [];
  #next = 0;

  /** Notes a call; the result is passed to one of the others. */
  call(client: string, key: string, input: Input): Operation {
    const at = this.#next++;
    const operation = {
      client,
      key,
      input,
      calledAt: at,
      returnedAt: undefined,
      output: undefined,
    };
    this.operations.push(operation);
    return operation;
  }

  /** Notes an answer. */
  answer(operation: Operation, output?: string): void {
    operation.returnedAt = this.#next++;
    operation.output = output;
  }

  /** The call had no effect for certain, or asked for nothing but an answer it never got. */
  forget(operation: Operation): void {
    this.operations.splice(this.operations.indexOf(operation), 1);
  }

  byKey(): Map<string, Operation[]> {
    const keys = new Map<string, Operation[]>();
    for (const operation of this.operations) {
      const list = keys.get(operation.key);
      if (list) list.push(operation);
      else keys.set(operation.key, [operation]);
    }
    return keys;
  }
}
