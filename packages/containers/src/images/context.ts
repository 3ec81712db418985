import type { Clock, Logger, Random } from '@skep/platform';
import type { Containerd } from '../containerd/containerd.js';
import type { ImageEvents } from './events.js';
import type { ImageIndex } from './image-index.js';
import type { KeyedMutex } from './keyed-mutex.js';

/** Bytes of configs and layers fetched since the start of the process. */
export interface ImageTraffic {
  registry: number;
  /** Other nodes. */
  peers: number;
}

/** What every part of the images room works with. */
export interface ImageContext {
  containerd: Containerd;
  index: ImageIndex;
  events: ImageEvents;
  /** Serialises work on one layer, one name, …; keys say which. */
  mutex: KeyedMutex;
  clock: Clock;
  random: Random;
  logger: Logger;
  traffic: ImageTraffic;
}
