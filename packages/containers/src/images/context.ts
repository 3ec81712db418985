import type { Clock, Logger, Random } from '@skep/platform';
import type { Containerd } from '../containerd/containerd.js';
import type { ImageEvents } from './events.js';
import type { ImageIndex } from './image-index.js';
import type { KeyedMutex } from './keyed-mutex.js';

/** What was fetched since the start of the process. */
export interface ImageTraffic {
  /** Of configs and layers, from registries and other nodes. */
  pulledBytes: number;
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
