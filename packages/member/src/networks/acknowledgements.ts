import { create } from '@bufbuild/protobuf';
import { type WatchNetworksRequest, WatchNetworksRequestSchema } from '@skep/wire/skep';

/** What a node says of updates while it follows a manager: the newest that is applied counts. */
export class Acknowledgements implements AsyncIterable<WatchNetworksRequest> {
  #applied = 0n;
  #said = 0n;
  #isOver = false;
  #wake = () => {};

  /** An update is in the kernel, and so are those before it. */
  applied(number: bigint): void {
    if (number > this.#applied) this.#applied = number;
    this.#wake();
  }

  /** The call is over. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchNetworksRequest> {
    while (!this.#isOver) {
      if (this.#said < this.#applied) {
        this.#said = this.#applied;
        yield create(WatchNetworksRequestSchema, { applied: this.#said });
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
