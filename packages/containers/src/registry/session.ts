import type { Readable } from 'node:stream';
import type { Authorizer, Credentials } from './authorizer.js';
import { type Challenge, parseChallenges } from './challenge.js';
import type { Endpoint } from './endpoints.js';
import { errorOfAnswer, RegistryError } from './errors.js';
import { MANIFEST_BYTES_MAX } from './limits.js';
import { type Answer, readBody, type Transport } from './transport.js';

/** How an endpoint is reached: what it answered to `GET /v2/`. */
export interface Ping {
  endpoint: Endpoint;
  challenges: Challenge[];
}

export interface FetchedManifest {
  mediaType: string;
  data: Buffer;
  /** As the registry states it; to be compared with the data. */
  digest: string | undefined;
}

export interface ManifestHead {
  mediaType: string;
  digest: string;
  size: number;
}

export interface SessionOptions {
  ping: Ping;
  /** Repository: `library/busybox`. */
  path: string;
  credentials: Credentials;
  transport: Transport;
  authorizer: Authorizer;
  signal: AbortSignal | undefined;
}

type UnknownCode = 'MANIFEST_UNKNOWN' | 'NAME_UNKNOWN' | 'BLOB_UNKNOWN';

/** One repository at one endpoint, for one user. */
export class RepositorySession {
  readonly origin = 'registry';
  readonly #options: SessionOptions;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get endpoint(): Endpoint {
    return this.#options.ping.endpoint;
  }

  /** Asks for a manifest's digest alone; undefined when the registry cannot say (then fetch it). */
  async headManifest(tagOrDigest: string, accept: string): Promise<ManifestHead | undefined> {
    const url = this.#url(`manifests/${tagOrDigest}`);
    const answer = await this.#send({ method: 'HEAD', url, accept });
    answer.body.resume(); // empty, and read to its end the connection can be used again
    const { headers, status } = answer;
    const digest = headers['docker-content-digest'];
    const size = Number(headers['content-length']);
    if (status !== 200 || digest === undefined || !Number.isSafeInteger(size)) return undefined;
    return { mediaType: headers['content-type'] ?? '', digest, size };
  }

  async getManifest(tagOrDigest: string, accept: string): Promise<FetchedManifest> {
    const url = this.#url(`manifests/${tagOrDigest}`);
    const answer = await this.#send({ method: 'GET', url, accept });
    if (answer.status !== 200) throw await failure(answer, 'MANIFEST_UNKNOWN');
    const data = await readBody(answer, MANIFEST_BYTES_MAX);
    const mediaType = (answer.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
    return { mediaType, data, digest: answer.headers['docker-content-digest'] };
  }

  /**
   * A blob's bytes from `offset` on. `skip` says how many bytes of the stream to drop, for
   * registries that do not know ranges and send all.
   */
  async getBlob(digest: string, offset: number): Promise<{ body: Readable; skip: number }> {
    const url = this.#url(`blobs/${digest}`);
    const range: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
    const answer = await this.#send({ method: 'GET', url, headers: range });
    if (answer.status === 206) {
      const start = /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1];
      if (Number(start) === offset) return { body: answer.body, skip: 0 };
      answer.body.destroy();
      throw new RegistryError('invalid', 'the registry sent another range than was asked for');
    }
    if (answer.status === 200) return { body: answer.body, skip: offset };
    throw await failure(answer, 'BLOB_UNKNOWN');
  }

  #url(rest: string): string {
    return `${this.endpoint.url}/v2/${this.#options.path}/${rest}`;
  }

  async #send(request: {
    method: 'GET' | 'HEAD';
    url: string;
    accept?: string;
    headers?: Record<string, string>;
  }): Promise<Answer> {
    const first = await this.#attempt(request, this.#options.ping.challenges);
    const asked = parseChallenges(first.headers['www-authenticate'] ?? '');
    if (first.status !== 401 || asked.length === 0) return first;
    // A token that was valid by our clock may have been taken back: once more with a new one.
    if (asked.some((challenge) => challenge.parameters['error'] === 'insufficient_scope')) {
      return first;
    }
    first.body.destroy();
    this.#options.authorizer.forget();
    return this.#attempt(request, asked);
  }

  async #attempt(
    request: {
      method: 'GET' | 'HEAD';
      url: string;
      accept?: string;
      headers?: Record<string, string>;
    },
    challenges: Challenge[],
  ): Promise<Answer> {
    const { authorizer, credentials, path, signal, transport } = this.#options;
    const { insecure } = this.endpoint;
    const scope = `repository:${path}:pull`;
    const { method, url, accept } = request;
    let authorization: Record<string, string>;
    try {
      authorization = await authorizer.headers(challenges, credentials, {
        scope,
        insecure,
        signal,
      });
    } catch (error) {
      throw explained(method, url, error);
    }
    const headers = { ...request.headers, ...(accept ? { accept } : {}), ...authorization };
    return transport.send({ method, url, headers, insecure, signal });
  }
}

/** Docker tells which request an error of authentication came from. */
function explained(method: string, url: string, error: unknown): unknown {
  if (!(error instanceof RegistryError)) return error;
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  const { kind, registryCode } = error;
  const message = `${verb} "${url}": ${error.message}`;
  return new RegistryError(kind, message, { registryCode, cause: error });
}

const OAUTH_ERROR: Record<string, string> = {
  insufficient_scope: 'DENIED',
  invalid_token: 'UNAUTHORIZED',
};

/** The error of an answer. RFC 6750's error in the challenge says more than the body. */
export async function failure(answer: Answer, unknownCode: UnknownCode): Promise<RegistryError> {
  const body = (await readBody(answer)).toString('utf8');
  const challenges = parseChallenges(answer.headers['www-authenticate'] ?? '');
  for (const { scheme, parameters } of answer.status === 401 ? challenges : []) {
    const code = OAUTH_ERROR[parameters['error'] ?? ''];
    if (scheme !== 'bearer' || code === undefined) continue;
    const message = parameters['error_description'] ?? '';
    const stated = JSON.stringify({ errors: [{ code, message }] });
    return errorOfAnswer(answer.status, stated, unknownCode);
  }
  return errorOfAnswer(answer.status, body, unknownCode);
}
