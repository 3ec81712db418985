import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import { StreamRaftMessageRequestSchema } from '@skep/wire/swarmkit';
import type { Member } from '../membership.js';
import { SnapshotAssembler, toChunks } from './chunks.js';
import type { PeerClient } from './client.js';
import { encodeEnvelope } from './codec.js';
import type { Envelope } from './contract.js';
import type { SimPeerNetwork } from './network.sim.js';

/** Calls to peers in one process: what is lost on the way is noticed only when its time is over. */
export class SimPeerClient implements PeerClient {
  readonly #network: SimPeerNetwork;
  readonly #address: string;

  constructor(network: SimPeerNetwork, address: string) {
    this.#network = network;
    this.#address = address;
  }

  async sendMessage({ address: to }: Member, sent: Envelope, timeoutMs: number): Promise<void> {
    const assembler = new SnapshotAssembler();
    for (const request of toChunks(sent)) {
      const bytes = toBinary(StreamRaftMessageRequestSchema, request);
      assembler.add(fromBinary(StreamRaftMessageRequestSchema, bytes));
    }
    const envelope = assembler.finish();
    if (!envelope) return;
    const from = this.#address;
    await this.#within(timeoutMs, (resolve, reject) => {
      const answer = (fn: () => void) =>
        void this.#network.transmit({ from: to, to: from, message: undefined }, fn);
      this.#network.transmit({ from, to, message: envelope.message }, () => {
        this.#network.deliver(to, encodeEnvelope(envelope)).then(
          () => answer(resolve),
          (error: unknown) => answer(() => reject(error)),
        );
      });
    });
  }

  async checkHealth({ address: to }: Member, timeoutMs: number): Promise<boolean> {
    const from = this.#address;
    await this.#within(timeoutMs, (resolve, reject) => {
      this.#network.transmit({ from, to, message: undefined }, () => {
        const isListening = this.#network.isListening(to);
        const answer = isListening ? resolve : () => reject(new Error('nobody answers'));
        this.#network.transmit({ from: to, to: from, message: undefined }, answer);
      });
    });
    return true;
  }

  async resolveAddress(
    { address: to }: Member,
    raftId: bigint,
    timeoutMs: number,
  ): Promise<string> {
    const from = this.#address;
    let address = '';
    await this.#within(timeoutMs, (resolve, reject) => {
      this.#network.transmit({ from, to, message: undefined }, () => {
        const known = this.#network.resolveAt(to, raftId);
        const answer = known === undefined ? () => reject(new Error('not known')) : resolve;
        address = known ?? '';
        this.#network.transmit({ from: to, to: from, message: undefined }, answer);
      });
    });
    return address;
  }

  close(): void {}

  #within(
    timeoutMs: number,
    begin: (resolve: () => void, reject: (error: unknown) => void) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#network.clock.after(timeoutMs, () => {
        reject(new RpcError(Code.DEADLINE_EXCEEDED, 'no answer in time'));
      });
      begin(
        () => {
          cancel();
          resolve();
        },
        (error) => {
          cancel();
          reject(error);
        },
      );
    });
  }
}
