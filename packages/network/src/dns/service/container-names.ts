import type { Random } from '@skep/platform';
import type { AttachedSandbox } from '../../sandbox/contract.js';
import { answerQuestion } from '../answer-question.js';
import type { ForwardedQuestion, Forwarder } from '../forward/forwarder.js';
import { type Asker, askerOf } from '../names/asker.js';
import type { NameIndex } from '../names/name-index.js';
import type { QuestionHandler } from '../sockets/contract.js';

export interface ContainerNamesOptions {
  index: NameIndex;
  forwarder: Forwarder;
  random: Random;
  sandbox: AttachedSandbox;
  hasWayOut: boolean;
}

/** Answers one container's questions. */
export class ContainerNames {
  readonly #options: ContainerNamesOptions;
  #asker: Asker;
  #outside: Pick<ForwardedQuestion, 'containerId' | 'choice'>;

  constructor(options: ContainerNamesOptions) {
    this.#options = options;
    this.#asker = askerOf(options.sandbox);
    this.#outside = outsideOf(options.sandbox, options.hasWayOut);
  }

  /** From now on the container is on these networks. */
  update(sandbox: AttachedSandbox, hasWayOut: boolean): void {
    this.#asker = askerOf(sandbox);
    this.#outside = outsideOf(sandbox, hasWayOut);
  }

  readonly handler: QuestionHandler = (message, protocol, reply) => {
    const { index, random, forwarder } = this.#options;
    const outcome = answerQuestion({ message, protocol, asker: this.#asker, index, random });
    if (outcome.kind === 'answer') reply(outcome.answer);
    if (outcome.kind !== 'forward') return;
    const { question } = outcome;
    void forwarder.forward({ ...this.#outside, question, message, protocol }).then(reply);
  };
}

function outsideOf(sandbox: AttachedSandbox, hasWayOut: boolean) {
  const { containerId, namespace, names } = sandbox;
  return { containerId, choice: { given: names.servers, namespace, hasWayOut } };
}
