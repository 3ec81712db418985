import type { Input, Operation } from './history.js';

/** What a key holds before anything is written. */
export const NOTHING = '';

/** Elements of a list stand one after the other, each followed by this. */
export const SEPARATOR = ',';

/**
 * The register that every key is, as a sequential machine: the state after `operation`, or undefined when it
 * cannot have happened in `state` with the answer it got.
 */
export function step(state: string, operation: Operation): string | undefined {
  const { input, output } = operation;
  const next = effect(state, input);
  if (next === undefined || operation.returnedAt === undefined) return next;
  const answersWithState = input.kind === 'read' || input.kind === 'append';
  return answersWithState && output !== next ? undefined : next;
}

function effect(state: string, input: Input): string | undefined {
  switch (input.kind) {
    case 'read':
      return state;
    case 'write':
      return input.value;
    case 'append':
      return append(state, input.element);
    case 'cas':
      return state === input.from ? input.to : undefined;
  }
}

export function append(list: string, element: string): string {
  return list + element + SEPARATOR;
}
