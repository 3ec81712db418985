import { SHELF_PORT } from '@skep/manager';
import { Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import type { Channel, Dialer } from '@skep/rpc';
import { type ImageHolder, Shelf } from '@skep/wire/skep';
import { joinHostPort } from '../node/address.js';
import type { ImagesLink, PeerImage } from './contract.js';
import { FIND_PARALLEL, FIND_TIMEOUT_MS, SOURCES_MAX } from './limits.js';
import { type PeerSource, PeerSources } from './peer-sources.js';

export interface SwarmImagesOptions {
  dialer: Dialer;
  log: Logger;
}

/** Bytes of images since this room was made. */
export interface SwarmImagesTraffic {
  receivedBytes: number;
  sentBytes: number;
}

/** Images as this node's swarm has them: what other nodes hold, and what the swarm needs. */
export class SwarmImages {
  readonly traffic: SwarmImagesTraffic = { receivedBytes: 0, sentBytes: 0 };
  readonly #options: SwarmImagesOptions;
  #link: ImagesLink | undefined;

  constructor(options: SwarmImagesOptions) {
    this.#options = options;
  }

  /** Another manager is asked from now on. */
  follow(link: ImagesLink): void {
    this.#link = link;
  }

  /** The manager to ask. Rejects UNAVAILABLE while there is none. */
  get link(): ImagesLink {
    if (this.#link) return this.#link;
    throw new RpcError(Code.UNAVAILABLE, 'this node does not reach a manager of its swarm yet');
  }

  /** Images that tasks and services need, as their specs have them. Rejects where nobody can say. */
  async needed(): Promise<readonly string[]> {
    return (await this.link.needed()).images;
  }

  /**
   * An image of one of this node's tasks, on other nodes; undefined where none has it, may give it or
   * can be asked, which is no error. `likelyOnly`: asks only those where a task of it runs or ran. To
   * be closed.
   */
  async find(
    image: string,
    options: { likelyOnly: boolean; signal: AbortSignal },
  ): Promise<PeerImage | undefined> {
    try {
      const { holders } = await this.link.locate(image);
      const asked = holders.filter(({ likely }) => likely || !options.likelyOnly);
      return await this.#ask(image, asked, options.signal);
    } catch (error) {
      options.signal.throwIfAborted();
      const fields = { image, error: errorMessage(error) };
      this.#options.log.debug(fields, 'no other node can be asked for an image');
      return undefined;
    }
  }

  /** A few nodes at a time, until some have it. */
  async #ask(
    image: string,
    holders: readonly ImageHolder[],
    signal: AbortSignal,
  ): Promise<PeerImage | undefined> {
    for (let start = 0; start < holders.length; start += FIND_PARALLEL) {
      signal.throwIfAborted();
      const group = holders.slice(start, start + FIND_PARALLEL);
      const answers = await Promise.all(group.map((holder) => this.#askOne(image, holder, signal)));
      const found = answers.filter((source) => source !== undefined);
      const [first] = found;
      if (!first) continue;
      const isSame = ({ target }: PeerSource) => target.digest === first.target.digest;
      const used = found
        .slice(1)
        .filter(isSame)
        .slice(0, SOURCES_MAX - 1);
      for (const source of found) {
        if (source !== first && !used.includes(source)) source.channel.close();
      }
      const count = (bytes: number) => {
        this.traffic.receivedBytes += bytes;
      };
      return new PeerSources(image, [first, ...used], count);
    }
    return undefined;
  }

  async #askOne(
    image: string,
    { address, nodeId }: ImageHolder,
    signal: AbortSignal,
  ): Promise<PeerSource | undefined> {
    const at = joinHostPort(address, String(SHELF_PORT));
    const channel: Channel = this.#options.dialer.dial(at, { serverName: nodeId });
    const options = { signal, timeoutMs: FIND_TIMEOUT_MS };
    try {
      const answer = await channel.unary(Shelf.method.find, { image }, options);
      const { digest, mediaType, restricted, sizeBytes } = answer;
      const target = { digest, mediaType, size: Number(sizeBytes) };
      return { nodeId, channel, restricted, target };
    } catch (error) {
      channel.close();
      const fields = { image, nodeId, error: errorMessage(error) };
      this.#options.log.debug(fields, 'a node has no image to give');
      return undefined;
    }
  }
}
