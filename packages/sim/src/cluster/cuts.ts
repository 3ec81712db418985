import type { SimNetwork } from '@skep/rpc';

/** Cuts in a network, several of which may meet on one way: it is whole when the last is mended. */
export class Cuts {
  readonly #network: SimNetwork;
  readonly #counts = new Map<string, number>();

  constructor(network: SimNetwork) {
    this.#network = network;
  }

  /** Cuts the way from one host to another, by IP; returns how to mend that cut. */
  cut(from: string, to: string): () => void {
    const way = `${from}>${to}`;
    this.#counts.set(way, (this.#counts.get(way) ?? 0) + 1);
    this.#network.cut(from, to);
    let isMended = false;
    return () => {
      if (isMended) return;
      isMended = true;
      const left = (this.#counts.get(way) ?? 1) - 1;
      this.#counts.set(way, left);
      if (left === 0) this.#network.heal(from, to);
    };
  }
}
