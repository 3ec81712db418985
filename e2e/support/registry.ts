import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ended, exec, until } from './exec.js';
import { type RegistryImage, sha256 } from './image.js';
import type { TokenServer } from './token-server.js';

/** The one user of a registry with basic authentication. */
export const USER = { username: 'alice', password: 'secret-of-alice' };

/** bcrypt of the password above, at its lowest cost. */
const HTPASSWD = `${USER.username}:$2b$04$K7Q3Ue9X3NPm3a9J4IS/E.W9ZxmznBqUORw1iKDUXrgf/D02sm5RK\n`;

export type RegistryAuthentication = 'none' | 'htpasswd' | TokenServer;

/** A free TCP port of loopback. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Debian's docker-registry on a free port of loopback, in plain HTTP. */
export class TestRegistry {
  /** `address:port`. */
  host: string;
  readonly #directory: string;
  readonly #authentication: RegistryAuthentication;
  /** What its commands run below, to be somewhere else on the network. */
  #within: string[] = [];
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(port: number, authentication: RegistryAuthentication) {
    this.host = `127.0.0.1:${port}`;
    this.#authentication = authentication;
    this.#directory = mkdtempSync(join(tmpdir(), 'skep-registry-'));
  }

  static async start(authentication: RegistryAuthentication = 'none'): Promise<TestRegistry> {
    const registry = new TestRegistry(await freePort(), authentication);
    await registry.resume().catch(async (error: unknown) => {
      await registry.dispose();
      throw error;
    });
    return registry;
  }

  /** Starts it (again) on the same port with the same content. */
  async resume(): Promise<void> {
    const config = join(this.#directory, 'config.yml');
    writeFileSync(config, this.#config());
    const [command = '', ...args] = [...this.#within, 'docker-registry', 'serve', config];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        this.#output = (this.#output + chunk).slice(-10_000);
      });
    }
    this.#child = child;
    const [curl = '', ...ask] = [...this.#within, 'curl', '-s', `http://${this.host}/v2/`];
    const answers = async () => (await exec(curl, ask)).code === 0;
    await until(answers, (isUp) => {
      if (child.exitCode !== null) throw new Error(`docker-registry ended:\n${this.#output}`);
      return isUp;
    });
  }

  /** Serves what it has in the network namespace of a process from now on; nothing is pushed there. */
  async moveTo(pid: number, host: string): Promise<void> {
    await this.stop();
    this.#within = ['nsenter', `--net=/proc/${pid}/ns/net`];
    this.host = host;
    await this.resume();
  }

  /** Ends it; its content stays. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGKILL');
    if (this.#child) await ended(this.#child);
    this.#child = undefined;
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Puts an image under `repository:tag`, as `docker push` does. */
  async push(image: RegistryImage, repository: string, tag: string): Promise<void> {
    for (const [digest, data] of image.blobs) await this.pushBlob(repository, digest, data);
    await this.pushManifest(repository, tag, image.manifest);
  }

  async pushBlob(repository: string, digest: string, data: Buffer): Promise<void> {
    const start = await this.#send('POST', repository, 'blobs/uploads/');
    const url = new URL(start.headers.get('location') ?? '', `http://${this.host}`);
    url.searchParams.set('digest', digest);
    const headers = { 'content-type': 'application/octet-stream' };
    await this.#send('PUT', repository, url, { body: data, headers });
  }

  async pushManifest(
    repository: string,
    reference: string,
    manifest: { mediaType: string; data: Buffer },
  ): Promise<void> {
    const headers = { 'content-type': manifest.mediaType };
    const path = `manifests/${reference}`;
    await this.#send('PUT', repository, path, { body: manifest.data, headers });
  }

  /**
   * Puts an index of images under a tag: each pushed by its digest first. Resolves with its digest.
   */
  async pushIndex(
    repository: string,
    tag: string,
    images: { image: RegistryImage; architecture: string }[],
  ): Promise<string> {
    const manifests = [];
    for (const { image, architecture } of images) {
      await this.push(image, repository, image.manifest.digest);
      const { mediaType, digest, data } = image.manifest;
      const platform = { architecture, os: 'linux' };
      manifests.push({ mediaType, digest, size: data.length, platform });
    }
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const data = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
    await this.pushManifest(repository, tag, { mediaType, data });
    return sha256(data);
  }

  async #send(
    method: string,
    repository: string,
    path: string | URL,
    options: { body?: Buffer; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const url =
      typeof path === 'string' ? `http://${this.host}/v2/${repository}/${path}` : path.href;
    const authorization = this.#authorization(repository);
    const headers = { ...options.headers, ...(authorization && { authorization }) };
    const body = options.body && new Uint8Array(options.body);
    const answer = await fetch(url, { method, headers, ...(body && { body }) });
    if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  #authorization(repository: string): string | undefined {
    if (this.#authentication === 'none') return undefined;
    if (this.#authentication === 'htpasswd') {
      const pair = `${USER.username}:${USER.password}`;
      return `Basic ${Buffer.from(pair).toString('base64')}`;
    }
    return `Bearer ${this.#authentication.mint(`repository:${repository}:pull,push`)}`;
  }

  /** JSON, which is YAML too. */
  #config(): string {
    const passwords = join(this.#directory, 'htpasswd');
    writeFileSync(passwords, HTPASSWD);
    const auth =
      this.#authentication === 'none'
        ? {}
        : this.#authentication === 'htpasswd'
          ? { auth: { htpasswd: { realm: 'test', path: passwords } } }
          : { auth: { token: this.#authentication.registryConfig } };
    return JSON.stringify({
      version: 0.1,
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: join(this.#directory, 'data') } },
      http: { addr: this.host, secret: 'of-a-test' },
      ...auth,
    });
  }
}
