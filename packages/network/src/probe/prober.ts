import { type Cancel, type Clock, errorMessage, type Logger } from '@skep/platform';
import type { OverlayListener, OverlayPlace, OverlayPlaces } from '../overlay/contract.js';
import { bareAddress } from '../sandbox/plan.js';
import { Serial } from '../serial.js';
import type { OverlayNetwork, TableChange, TablesReader, TablesView } from '../tables/contract.js';
import {
  PROBE_ANSWERS_PER_SECOND_MAX,
  PROBE_DOUBT_PERIOD_MS,
  PROBE_PERIOD_MS,
  PROBE_TIMEOUT_MS,
} from './limits.js';
import { decodeProbe, encodeProbe } from './message.js';
import type { ProbeSocket, ProbeSockets } from './sockets.js';
import { type BrokenWay, Ways } from './ways.js';

export interface ProberOptions {
  clock: Clock;
  logger: Logger;
  sockets: ProbeSockets;
  places: OverlayPlaces;
  vxlanPort: () => number;
}

/** IPv4 and UDP. */
const HEADER_BYTES = 28;
const MS_PER_S = 1_000;

/**
 * Asks the other nodes of the swarm through the very tunnels that containers use, and names those that
 * do not answer. It asks on the ingress network, which all nodes are on, else on another one.
 */
export class Prober implements TablesReader, OverlayListener {
  readonly name = 'probes';
  readonly #options: ProberOptions;
  readonly #serial = new Serial();
  readonly #ways = new Ways();
  #network: OverlayNetwork | undefined;
  #place: OverlayPlace | undefined;
  #socket: ProbeSocket | undefined;
  #told = '';
  #answered = { second: 0, count: 0 };
  #cancel: Cancel = () => {};

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#next(PROBE_DOUBT_PERIOD_MS);
  }

  async apply(changes: readonly TableChange[], view: TablesView): Promise<void> {
    if (!changes.some(({ table }) => table === 'network' || table === 'node')) return;
    const networks = view.networks();
    const network = networks.find(({ ingress }) => ingress) ?? networks[0];
    const nodes = network ? view.nodes(network.id) : [];
    this.#network = network;
    this.#ways.follow(
      nodes
        .filter(
          ({ address, down, ownAgent }) => ownAgent && !down && address !== network?.nodeAddress,
        )
        .map((node) => ({ ...node, address: bareAddress(node.address) })),
    );
  }

  async made(): Promise<void> {}

  removing(networkId: string): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#network?.id === networkId) this.#close();
    });
  }

  /** Whether there are other nodes, and each of them answers. */
  get allAnswer(): boolean {
    return this.#ways.count > 0 && this.#ways.broken().length === 0;
  }

  /** Sentences for `docker info`. */
  warnings(): string[] {
    return this.#ways.broken().map((way) => this.#describe(way));
  }

  close(): void {
    this.#cancel();
    this.#close();
  }

  #next(delayMs: number): void {
    const { clock } = this.#options;
    this.#cancel = clock.after(delayMs, () => {
      void this.#serial.run(() => this.#ask());
      this.#cancel = clock.after(PROBE_TIMEOUT_MS, () => this.#judge());
    });
  }

  async #ask(): Promise<void> {
    await this.#open();
    const fullBytes = (this.#place?.mtuBytes ?? 0) - HEADER_BYTES;
    for (const { node, number, size } of this.#socket ? this.#ways.ask() : []) {
      const message = encodeProbe({ kind: 'ask', number }, size === 'full' ? fullBytes : 0);
      this.#socket?.send(message, node.address);
    }
  }

  #judge(): void {
    this.#ways.giveUp();
    const warnings = this.warnings();
    const told = warnings.join('\n');
    if (told !== this.#told) {
      for (const warning of warnings) this.#options.logger.warn({}, warning);
      if (told === '') this.#options.logger.info({}, 'all nodes answer through their tunnels');
    }
    this.#told = told;
    const periodMs = this.#ways.isInDoubt ? PROBE_DOUBT_PERIOD_MS : PROBE_PERIOD_MS;
    this.#next(periodMs - PROBE_TIMEOUT_MS);
  }

  /** At the node's own address in the network that is probed now. */
  async #open(): Promise<void> {
    const { logger, places, sockets } = this.#options;
    const place = this.#network && places.place(this.#network.id);
    if (place === this.#place) return;
    this.#close();
    if (!place) return;
    const address = bareAddress(place.nodeAddress);
    try {
      this.#socket = await sockets.open(place.namespace, address, (message, from) =>
        this.#onMessage(message, from),
      );
      this.#place = place;
    } catch (error) {
      logger.warn({ error: errorMessage(error) }, 'tunnels to other nodes are not checked');
    }
  }

  #close(): void {
    this.#socket?.close();
    this.#socket = undefined;
    this.#place = undefined;
  }

  #onMessage(bytes: Uint8Array, from: string): void {
    const message = decodeProbe(bytes);
    if (!message) return;
    if (message.kind === 'answer') this.#ways.answered(message.number, from);
    // No longer than the question: nobody can make this node send more than it is sent.
    else if (this.#mayAnswer()) {
      this.#socket?.send(encodeProbe({ kind: 'answer', number: message.number }), from);
    }
  }

  #mayAnswer(): boolean {
    const second = Math.floor(this.#options.clock.monotonic() / MS_PER_S);
    if (second !== this.#answered.second) this.#answered = { second, count: 0 };
    return this.#answered.count++ < PROBE_ANSWERS_PER_SECOND_MAX;
  }

  #describe({ node, trouble }: BrokenWay): string {
    const who = `node ${node.nodeId} at ${node.tunnelAddress}`;
    const how = `VXLAN, UDP port ${this.#options.vxlanPort()}`;
    if (trouble === 'silent') {
      return `${who} does not answer through its tunnel (${how}): is that port open between the nodes?`;
    }
    return (
      `packets of full size do not reach ${who} (${how}), short ones do: a smaller MTU on the way, ` +
      'or a network card that spoils checksums'
    );
  }
}
