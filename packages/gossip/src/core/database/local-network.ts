import { BroadcastQueue } from '../broadcast-queue.js';
import { Entries } from './entries.js';

/** What this node wants to stand in a table, whatever others say. */
export interface Intent {
  table: string;
  key: string;
  value: Uint8Array;
}

export interface LocalNetworkOptions {
  id: string;
  /** How many nodes take part in it. */
  nodes: () => number;
  /** Longest event that fits a packet. */
  eventBytesMax: number;
}

/** A network that this node takes part in. */
export class LocalNetwork {
  readonly id: string;
  readonly entries = new Entries();
  readonly intents = new Map<string, Intent>();
  /** Table events to be told on to its nodes. */
  readonly queue: BroadcastQueue;
  /** Nodes that have told all they have, since this one joined. */
  readonly exchanged = new Set<string>();
  /** One of them is being asked now. */
  isAsking = false;
  /** Others hold that this node has left: it must write all it has anew. */
  isForgotten = false;

  constructor({ id, nodes, eventBytesMax }: LocalNetworkOptions) {
    this.id = id;
    this.queue = new BroadcastQueue({ nodes, bytesMax: eventBytesMax });
  }

  /** Knows what others know; before, this node tells on nothing of theirs. */
  get isInSync(): boolean {
    return this.exchanged.size > 0;
  }
}
