import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export function digestOf(data: Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

export interface FakeRequest {
  method: string;
  path: string;
  authorization: string | undefined;
  range: string | undefined;
}

/** Answers a request itself and returns true, or leaves it to the registry. */
export type Intercept = (request: FakeRequest, response: ServerResponse) => boolean;

/** A registry of a test's own making, on loopback, that misbehaves where it is told to. */
export class FakeRegistry {
  readonly blobs = new Map<string, Buffer>();
  /** `name:tag` or `name@digest` → document. */
  readonly manifests = new Map<string, { mediaType: string; data: Buffer }>();
  readonly requests: FakeRequest[] = [];
  /** Looked at first, in order. */
  readonly intercepts: Intercept[] = [];
  /** Made so far. */
  connections = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on('connection', () => {
      this.connections++;
    });
  }

  static async start(): Promise<FakeRegistry> {
    const registry = new FakeRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Paths asked for, with their method; pings left out. */
  get asked(): string[] {
    return this.requests
      .filter(({ path }) => path !== '/v2/')
      .map(({ method, path }) => `${method} ${path}`);
  }

  addBlob(data: Buffer): { digest: string; size: number } {
    const digest = digestOf(data);
    this.blobs.set(digest, data);
    return { digest, size: data.length };
  }

  addManifest(name: string, tag: string, mediaType: string, document: object): string {
    const data = Buffer.from(JSON.stringify(document));
    const digest = digestOf(data);
    this.manifests.set(`${name}:${tag}`, { mediaType, data });
    this.manifests.set(`${name}@${digest}`, { mediaType, data });
    return digest;
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    const request: FakeRequest = {
      method: incoming.method ?? '',
      path: incoming.url ?? '',
      authorization: incoming.headers.authorization,
      range: incoming.headers.range,
    };
    incoming.resume();
    this.requests.push(request);
    if (this.intercepts.some((intercept) => intercept(request, response))) return;
    if (request.path === '/v2/') {
      response.end('{}');
      return;
    }
    const [, name = '', kind, reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(request.path) ?? [];
    if (kind === 'manifests') this.#manifest(request, response, name, reference);
    else if (kind === 'blobs') this.#blob(request, response, reference);
    else refuse(response, 404, 'NAME_UNKNOWN', 'repository name not known to registry');
  }

  #manifest(request: FakeRequest, response: ServerResponse, name: string, reference: string): void {
    const key = reference.startsWith('sha256:') ? `${name}@${reference}` : `${name}:${reference}`;
    const manifest = this.manifests.get(key);
    if (!manifest) {
      refuse(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
      return;
    }
    response.setHeader('content-type', manifest.mediaType);
    response.setHeader('docker-content-digest', digestOf(manifest.data));
    response.setHeader('content-length', manifest.data.length);
    response.end(request.method === 'HEAD' ? undefined : manifest.data);
  }

  #blob(request: FakeRequest, response: ServerResponse, digest: string): void {
    const data = this.blobs.get(digest);
    if (!data) {
      refuse(response, 404, 'BLOB_UNKNOWN', 'blob unknown to registry');
      return;
    }
    const start = Number(/^bytes=(\d+)-$/.exec(request.range ?? '')?.[1] ?? 0);
    if (start > 0) {
      response.statusCode = 206;
      response.setHeader('content-range', `bytes ${start}-${data.length - 1}/${data.length}`);
    }
    response.setHeader('content-length', data.length - start);
    response.end(data.subarray(start));
  }
}

/** An error as registries send it. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}
