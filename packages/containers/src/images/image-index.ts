import { Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import type { Containerd } from '../containerd/containerd.js';
import type { ImageRecord } from '../containerd/types.js';
import { chainIds } from './digest.js';
import { type Image, type ImageDetails, ImageMap, type ImageName, imageName } from './index-map.js';
import { hasCode } from './ingest.js';
import { KeyedMutex } from './keyed-mutex.js';
import { INDEX_CONCURRENCY } from './limits.js';
import { readStoredManifest } from './read.js';
import {
  canonicalString,
  familiarString,
  isDigest,
  parseReference,
  storedReference,
  withDefaultTag,
} from './reference.js';

const ID_PREFIX = /^(?:sha256:)?([0-9a-f]{1,64})$/;

/**
 * All images of our namespace in memory, so that listing hundreds asks nobody. Read whole when
 * containerd is reached (again), then kept in step by its events and by our own changes.
 */
export class ImageIndex {
  readonly #containerd: Containerd;
  readonly #logger: Logger;
  readonly #map = new ImageMap();
  readonly #mutex = new KeyedMutex();
  readonly #unsubscribe: () => void;
  #loaded = false;

  constructor(options: { containerd: Containerd; logger: Logger }) {
    this.#containerd = options.containerd;
    this.#logger = options.logger;
    this.#unsubscribe = this.#containerd.events.subscribe({
      onResync: () => this.#inBackground(this.refreshAll()),
      onEvent: (event) => {
        if ('name' in event) this.#inBackground(this.refresh(event.name));
      },
    });
  }

  close(): void {
    this.#unsubscribe();
  }

  /** What is known at the moment, without asking anybody. */
  get current(): Image[] {
    return this.#map.all;
  }

  /** All images; rejects UNAVAILABLE when containerd was never reached. */
  async all(): Promise<Image[]> {
    await this.#ensureLoaded();
    return this.#map.all;
  }

  async byId(id: string): Promise<Image | undefined> {
    await this.#ensureLoaded();
    return this.#map.byId(id);
  }

  /** By its name in containerd's store. */
  async byName(name: string): Promise<Image | undefined> {
    await this.#ensureLoaded();
    return this.#map.byName(name);
  }

  /**
   * The image a user means: by reference, id or a unique prefix of it, in Docker's order. Rejects
   * NOT_FOUND `No such image: …`.
   */
  async find(text: string): Promise<Image> {
    await this.#ensureLoaded();
    const image = this.#byIdText(text) ?? this.#byReferenceText(text) ?? this.#byIdPrefix(text);
    if (!image) throw new RpcError(Code.NOT_FOUND, `No such image: ${shownName(text)}`);
    return image;
  }

  #byIdText(text: string): Image | undefined {
    const id = text.startsWith('sha256:') ? text : `sha256:${text}`;
    return isDigest(id) ? this.#map.byId(id) : undefined;
  }

  #byReferenceText(text: string): Image | undefined {
    if (ID_PREFIX.exec(text)?.[1]?.length === 64) return undefined;
    const reference = parseReference(text);
    const exact = this.#map.byName(canonicalString(storedReference(reference)));
    if (exact || reference.digest === undefined) return exact;
    // The image may be here under its tag only, as loaded ones are; its manifest's digest names it
    // as well.
    const name = { domain: reference.domain, path: reference.path };
    return this.#map.all.find(
      (image) =>
        image.names.some((entry) => entry.target.digest === reference.digest && sameRepo(entry)) ||
        (image.id === reference.digest && image.names.some(sameRepo)),
    );
    function sameRepo(entry: { reference: { domain: string; path: string } }): boolean {
      return entry.reference.domain === name.domain && entry.reference.path === name.path;
    }
  }

  #byIdPrefix(text: string): Image | undefined {
    const prefix = ID_PREFIX.exec(text)?.[1];
    if (prefix === undefined) return undefined;
    const matches = this.#map.all.filter((image) => image.id.startsWith(`sha256:${prefix}`));
    return matches.length === 1 ? matches[0] : undefined;
  }

  /** Compares one name with containerd. */
  refresh(name: string): Promise<void> {
    return this.#mutex.run('index', async () => {
      try {
        await this.#take(await this.#containerd.images.get(name));
      } catch (error) {
        if (!hasCode(error, Code.NOT_FOUND)) throw error;
        this.#map.delete(name);
      }
    });
  }

  /** Compares everything with containerd. */
  refreshAll(): Promise<void> {
    return this.#mutex.run('index', async () => {
      const records = await this.#containerd.images.list();
      const listed = new Set(records.map((record) => record.name));
      for (const name of this.#map.names) if (!listed.has(name)) this.#map.delete(name);
      for (let start = 0; start < records.length; start += INDEX_CONCURRENCY) {
        const group = records.slice(start, start + INDEX_CONCURRENCY);
        await Promise.all(group.map((record) => this.#take(record)));
      }
      this.#loaded = true;
    });
  }

  async #ensureLoaded(): Promise<void> {
    if (!this.#loaded) await this.refreshAll();
  }

  async #take(record: ImageRecord): Promise<void> {
    const name = imageName(record);
    if (!name) return;
    const known = this.#map.byName(name.name);
    const before = this.#map.nameOf(name.name);
    const isSame =
      before?.target.digest === name.target.digest && before.manifestDigest === name.manifestDigest;
    const details = known && isSame ? known : await this.#readDetails(name);
    if (details) this.#map.set(name, details);
    else this.#map.delete(name.name);
  }

  /** Undefined for an image whose parts are missing: a pull repairs it. */
  async #readDetails(name: ImageName): Promise<ImageDetails | undefined> {
    try {
      const stored = await readStoredManifest(this.#containerd, name);
      return {
        id: stored.manifest.config.digest,
        manifestDescriptor: stored.descriptor,
        manifest: stored.manifest,
        config: stored.config,
        chainIds: chainIds(stored.config.diffIds),
      };
    } catch (error) {
      if (!hasCode(error, Code.NOT_FOUND) && !hasCode(error, Code.INVALID_ARGUMENT)) throw error;
      const fields = { image: name.name, error: errorMessage(error) };
      this.#logger.warn(fields, 'an image in the store is incomplete and is left out');
      return undefined;
    }
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      // containerd went away again; its return reads everything anew.
      this.#logger.debug({ error: errorMessage(error) }, 'images could not be read');
    });
  }
}

/** What Docker writes into `No such image: …`. */
function shownName(text: string): string {
  if (ID_PREFIX.test(text) && text.startsWith('sha256:')) return text;
  try {
    return familiarString(withDefaultTag(parseReference(text)));
  } catch (error) {
    if (ID_PREFIX.exec(text)?.[1]?.length === 64) return text;
    throw error;
  }
}
