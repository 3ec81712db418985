import { type Clock, Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import type { VolumeDriver } from '../driver.js';
import { PluginClient, PluginRefusal } from './client.js';
import {
  findPlugin,
  type PluginAddress,
  type PluginDirectories,
  pluginNames,
} from './discovery.js';
import { PLUGIN_QUERY_TIMEOUT_MS, PLUGIN_SCAN_TIMEOUT_MS } from './limits.js';
import { PluginDriver } from './plugin-driver.js';
import type { PluginTransport } from './transport.js';

const SUBSYSTEM = 'VolumeDriver';
const ASK = { timeoutMs: PLUGIN_QUERY_TIMEOUT_MS, retry: true };
const SCAN = { timeoutMs: PLUGIN_SCAN_TIMEOUT_MS, retry: false };

export interface VolumePluginsOptions {
  directories: PluginDirectories;
  transport: PluginTransport;
  clock: Clock;
  logger: Logger;
}

/** The volume plugins of this node: found anew each time, asked once who they are. */
export class VolumePlugins {
  readonly #options: VolumePluginsOptions;
  readonly #drivers = new Map<string, { address: PluginAddress; driver: VolumeDriver }>();

  constructor(options: VolumePluginsOptions) {
    this.#options = options;
  }

  /** The driver of a name. Rejects NOT_FOUND in Docker's words. */
  async driver(name: string): Promise<VolumeDriver> {
    const failure = (why: string, code = Code.NOT_FOUND) =>
      new RpcError(code, `error looking up volume plugin ${name}: ${why}`);
    const address = this.#find(name, failure);
    if (!address) throw failure(`plugin "${name}" not found`);
    const known = this.#known(name, address);
    if (known) return known;
    try {
      return await this.#activate(name, address, ASK);
    } catch (error) {
      if (error instanceof RpcError && !(error instanceof PluginRefusal)) {
        throw failure(errorMessage(error), error.code);
      }
      throw failure(errorMessage(error));
    }
  }

  /** All that answer now, in the order of their names. */
  async all(): Promise<VolumeDriver[]> {
    const names = pluginNames(this.#options.directories);
    const found = await Promise.all(names.map((name) => this.#unlessDead(name)));
    return found.flatMap((driver) => driver ?? []);
  }

  #find(name: string, failure: (why: string) => RpcError): PluginAddress | undefined {
    try {
      return findPlugin(this.#options.directories, name);
    } catch (error) {
      throw failure(errorMessage(error));
    }
  }

  async #unlessDead(name: string): Promise<VolumeDriver | undefined> {
    try {
      const address = findPlugin(this.#options.directories, name);
      return address && (await this.#activate(name, address, SCAN));
    } catch (error) {
      const fields = { plugin: name, error: errorMessage(error) };
      this.#options.logger.debug(fields, 'volume plugin does not answer');
      return undefined;
    }
  }

  async #activate(name: string, address: PluginAddress, how: typeof ASK): Promise<VolumeDriver> {
    const { clock, logger, transport } = this.#options;
    const client = new PluginClient({ transport, clock, address });
    const { Implements } = (await client.call('Plugin.Activate', {}, how)) as {
      Implements?: string[];
    };
    if (!Implements?.includes(SUBSYSTEM)) {
      throw new PluginRefusal('Plugin does not implement the requested driver');
    }
    const known = this.#known(name, address);
    if (known) return known;
    const scope = await scopeOf(client, how);
    const driver = new PluginDriver({ name, scope, client, logger });
    this.#drivers.set(name, { address, driver });
    return driver;
  }

  #known(name: string, address: PluginAddress): VolumeDriver | undefined {
    const known = this.#drivers.get(name);
    const isSame = known && JSON.stringify(known.address) === JSON.stringify(address);
    return isSame ? known.driver : undefined;
  }
}

/** Plugins older than the question keep their volumes on this node alone. */
async function scopeOf(client: PluginClient, how: typeof ASK): Promise<'local' | 'global'> {
  try {
    const { Capabilities } = (await client.call('VolumeDriver.Capabilities', {}, how)) as {
      Capabilities?: { Scope?: string };
    };
    return Capabilities?.Scope?.toLowerCase() === 'global' ? 'global' : 'local';
  } catch (error) {
    if (error instanceof PluginRefusal) return 'local';
    throw error;
  }
}
