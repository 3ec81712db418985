import { SHELF_PORT } from '@skep/manager';
import { type Clock, errorMessage, type Logger } from '@skep/platform';
import type { Host, Listener } from '@skep/rpc';
import type { ImageShelf } from './contract.js';
import { ShelfService } from './shelf-service.js';
import type { SwarmImages } from './swarm-images.js';

export interface ShelfDoorOptions {
  host: Host;
  clock: Clock;
  log: Logger;
  clusterId: string;
  /** Joined with the port: where this node listens for others. */
  listenAt(port: number): string;
  shelf: ImageShelf;
  images: SwarmImages;
}

/**
 * Where other nodes ask for this node's images. One that cannot be opened costs nothing but that: the
 * node goes on without.
 */
export class ShelfDoor {
  readonly #options: ShelfDoorOptions;
  #listener: Promise<Listener | undefined> = Promise.resolve(undefined);

  constructor(options: ShelfDoorOptions) {
    this.#options = options;
  }

  open(): void {
    const { clock, clusterId, host, images, listenAt, log, shelf } = this.#options;
    const service = new ShelfService({
      shelf,
      clock,
      link: () => images.link,
      onSent: (bytes) => {
        images.traffic.sentBytes += bytes;
      },
    });
    const services = [service.bound()];
    const address = listenAt(SHELF_PORT);
    // A node that was removed has no task either, and so is refused by the manager that is asked.
    const isRefused = () => false;
    this.#listener = host
      .serve({ address, services, clusterId, isRefused })
      .catch((error: unknown) => {
        log.warn({ address, error: errorMessage(error) }, 'images are not served to other nodes');
        return undefined;
      });
  }

  async close(): Promise<void> {
    await (await this.#listener)?.close();
  }
}
