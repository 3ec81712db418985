import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PluginDirectories } from './discovery.js';
import type { PluginAnswer, PluginTransport } from './transport.js';

/** A volume plugin in memory, called `fast` and installed by a file below a directory. */
export class FakePlugin {
  readonly directories: PluginDirectories;
  readonly transport: PluginTransport;
  readonly volumes = new Map<string, Record<string, string>>();
  /** `VOLUME ID` of each mount that was not ended. */
  readonly mounts: string[] = [];
  isDown = false;
  /** Answers the next calls that change something. */
  refusal: PluginAnswer | undefined;
  readonly #file: string;

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true });
    this.directories = { sockets: join(directory, 'sockets'), specs: [directory] };
    this.#file = join(directory, 'fast.spec');
    writeFileSync(this.#file, 'tcp://127.0.0.1:1\n');
    this.transport = { post: (_address, method, body) => this.#post(method, body) };
  }

  uninstall(): void {
    rmSync(this.#file);
  }

  async #post(method: string, body: string): Promise<PluginAnswer> {
    if (this.isDown) throw new Error('connect ECONNREFUSED');
    const isWork = /\.(Create|Mount|Remove)$/.test(method);
    if (isWork && this.refusal) return this.refusal;
    const { ID, Name, Opts } = JSON.parse(body) as {
      ID: string;
      Name: string;
      Opts: Record<string, string>;
    };
    return { status: 200, body: JSON.stringify(this.#answer(method, Name, ID, Opts)) };
  }

  #answer(method: string, name: string, id: string, options: Record<string, string>): object {
    const volume = { Name: name, Mountpoint: `/fast/${name}`, Status: { state: 'good' } };
    switch (method) {
      case 'Plugin.Activate':
        return { Implements: ['VolumeDriver'] };
      case 'VolumeDriver.Capabilities':
        return { Capabilities: { Scope: 'global' } };
      case 'VolumeDriver.List':
        return { Volumes: [...this.volumes.keys()].map((Name) => ({ Name })) };
      case 'VolumeDriver.Get':
        return this.volumes.has(name) ? { Volume: volume } : { Err: 'no such volume' };
      case 'VolumeDriver.Create':
        this.volumes.set(name, options);
        return {};
      case 'VolumeDriver.Remove':
        this.volumes.delete(name);
        return {};
      case 'VolumeDriver.Mount':
        this.mounts.push(`${name} ${id}`);
        return { Mountpoint: volume.Mountpoint };
      case 'VolumeDriver.Unmount':
        this.mounts.splice(this.mounts.indexOf(`${name} ${id}`), 1);
        return {};
      default:
        return { Err: `unknown: ${method}` };
    }
  }
}
