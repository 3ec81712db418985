import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OwnMounts } from './own-mounts.ts';

interface Request {
  ID: string;
  Name: string;
  Opts: Record<string, string> | null;
}

/**
 * A volume plugin that speaks Docker's protocol: each volume is a file system in memory that is mounted
 * while somebody uses it.
 */
export class VolumePlugin {
  readonly name = 'skep-e2e';
  /** Where its socket is. */
  readonly sockets = mkdtempSync(join(tmpdir(), 'skep-plugin-sockets-'));
  readonly #directory = mkdtempSync(join(tmpdir(), 'skep-plugin-'));
  readonly #options = new Map<string, Record<string, string>>();
  /** Ids of the mounts of each volume. */
  readonly users = new Map<string, Set<string>>();
  /** Every method that was called, in order. */
  readonly calls: string[] = [];
  #server: Server | undefined;
  #mounts: OwnMounts | undefined;

  /** Mounts go into the namespace of the node that asks. */
  async start(mounts: OwnMounts): Promise<void> {
    this.#mounts = mounts;
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', async () => {
        const body = JSON.parse(Buffer.concat(chunks).toString() || '{}') as Request;
        response.end(JSON.stringify(await this.#answer(request.url?.slice(1) ?? '', body)));
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) =>
      server.listen(`${this.sockets}/${this.name}.sock`, resolve),
    );
  }

  /** Ends the program; its volumes and their mounts stay as they are. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  async cleanUp(): Promise<void> {
    await this.stop();
    for (const directory of [this.sockets, this.#directory]) {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  #path(name = ''): string {
    return join(this.#directory, name);
  }

  async #answer(method: string, { ID, Name, Opts }: Request): Promise<object> {
    this.calls.push(method);
    const known = this.#options.has(Name);
    const volume = {
      Name,
      Mountpoint: this.#path(Name),
      Status: { users: this.users.get(Name)?.size },
    };
    switch (method) {
      case 'Plugin.Activate':
        return { Implements: ['VolumeDriver'] };
      case 'VolumeDriver.Capabilities':
        return { Capabilities: { Scope: 'global' } };
      case 'VolumeDriver.List':
        return { Volumes: [...this.#options.keys()].map((name) => ({ Name: name })) };
      case 'VolumeDriver.Get':
        return known ? { Volume: volume } : { Err: 'no such volume' };
      case 'VolumeDriver.Create':
        if (Opts?.['fail']) return { Err: Opts['fail'] };
        mkdirSync(this.#path(Name), { recursive: true });
        this.#options.set(Name, Opts ?? {});
        this.users.set(Name, new Set());
        return {};
      case 'VolumeDriver.Remove':
        this.#options.delete(Name);
        this.users.delete(Name);
        return {};
      case 'VolumeDriver.Mount':
        return this.#mount(Name, ID);
      case 'VolumeDriver.Unmount':
        return this.#unmount(Name, ID);
      default:
        return { Err: `${method} is not known` };
    }
  }

  async #mount(name: string, id: string): Promise<object> {
    const users = this.users.get(name);
    if (!users || users.has(id)) return { Err: `${name} cannot be mounted for ${id}` };
    if (users.size === 0) {
      await this.#mounts?.run('mount', '-t', 'tmpfs', this.name, this.#path(name));
    }
    users.add(id);
    return { Mountpoint: this.#path(name) };
  }

  async #unmount(name: string, id: string): Promise<object> {
    const users = this.users.get(name);
    if (!users?.delete(id)) return { Err: `${name} is not mounted for ${id}` };
    if (users.size === 0) await this.#mounts?.run('umount', this.#path(name));
    return {};
  }
}
