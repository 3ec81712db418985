import { type Clock, errorMessage, type Logger } from '@skep/platform';
import type { RegistryAuth } from '../contract/engine.js';
import { Authorizer, credentialsOf } from './authorizer.js';
import { parseChallenges } from './challenge.js';
import { type Endpoint, endpointsOf } from './endpoints.js';
import { RegistryError } from './errors.js';
import type { InsecureRegistries } from './insecure.js';
import { PING_REMEMBERED_MS, PINGS_MAX } from './limits.js';
import { failure, type Ping, RepositorySession } from './session.js';
import type { Transport } from './transport.js';

export interface RegistryClientOptions {
  transport: Transport;
  insecure: InsecureRegistries;
  /** Mirrors of Docker Hub, as URLs. */
  mirrors: readonly string[];
  clock: Clock;
  logger: Logger;
}

export interface RepositoryRequest {
  /** `docker.io`, `localhost:5000`. */
  domain: string;
  /** `library/busybox`. */
  path: string;
  auth?: RegistryAuth | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Registries as images are pulled from them. Rejects with `RegistryError`s, whose `kind` says what
 * is wrong.
 */
export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #authorizer: Authorizer;
  readonly #pings = new Map<string, Ping & { endMs: number }>();

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    this.#authorizer = new Authorizer(options);
  }

  /**
   * Runs `work` on the first endpoint that can do it. The next one is tried when a mirror fails in
   * any way, or the registry itself does not answer by that protocol.
   */
  async withRepository<T>(
    request: RepositoryRequest,
    work: (session: RepositorySession) => Promise<T>,
  ): Promise<T> {
    const endpoints = await endpointsOf(request.domain, this.#options);
    const known = endpoints.find(({ url, mirror }) => !mirror && this.#remembered(url));
    let lastError: unknown;
    for (const endpoint of endpoints) {
      // Of the two protocols of an insecure registry only the one that worked a moment ago is
      // tried.
      if (known && !endpoint.mirror && endpoint !== known) continue;
      try {
        const ping = await this.#ping(endpoint, request.signal);
        return await this.#run(this.#session(ping, request), work);
      } catch (error) {
        request.signal?.throwIfAborted();
        const isMute = error instanceof UnansweredError;
        if (!endpoint.mirror && !isMute) throw error;
        const fields = { endpoint: endpoint.url, error: errorMessage(error) };
        this.#options.logger.debug(fields, 'trying the next registry endpoint');
        lastError = error;
      }
    }
    throw lastError;
  }

  async #run<T>(
    session: RepositorySession,
    work: (session: RepositorySession) => Promise<T>,
  ): Promise<T> {
    try {
      return await work(session);
    } catch (error) {
      // Whoever breaks off may have moved or changed: the next pull looks anew.
      if (isUnreachable(error)) this.#pings.delete(session.endpoint.url);
      throw error;
    }
  }

  /**
   * Tries credentials at a registry (`serveraddress`, Docker Hub when absent), as `docker login`
   * does. Resolves with the identity token that may replace the password, or an empty string.
   */
  async login(auth: RegistryAuth): Promise<string> {
    const domain = registryDomain(auth.serveraddress);
    const endpoints = await endpointsOf(domain, this.#options);
    let lastError: unknown;
    for (const endpoint of endpoints.filter((candidate) => !candidate.mirror)) {
      try {
        return await this.#loginAt(await this.#ping(endpoint, undefined), auth);
      } catch (error) {
        lastError = error;
        if (!isUnreachable(error)) throw error;
      }
    }
    throw lastError;
  }

  async #loginAt({ endpoint, challenges }: Ping, auth: RegistryAuth): Promise<string> {
    const credentials = credentialsOf(auth);
    const url = `${endpoint.url}/v2/`;
    const { insecure } = endpoint;
    const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
    let identity = '';
    let headers: Record<string, string>;
    try {
      const request = { scope: '', insecure, offline: true };
      if (bearer) {
        const token = await this.#authorizer.token(bearer, credentials, request);
        identity = token.refresh;
        headers = { authorization: `Bearer ${token.value}` };
      } else headers = await this.#authorizer.headers(challenges, credentials, request);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      const message = `Get "${url}": ${error.message}`;
      throw new RegistryError(error.kind, message, { cause: error });
    }
    const answer = await this.#options.transport.send({ method: 'GET', url, headers, insecure });
    answer.body.destroy();
    if (answer.status === 200) return identity;
    const kind = answer.status === 401 ? 'unauthorized' : 'invalid';
    const status = `${answer.status}${answer.status === 401 ? ' Unauthorized' : ''}`;
    throw new RegistryError(kind, `login attempt to ${url} failed with status: ${status}`);
  }

  #session(ping: Ping, request: RepositoryRequest): RepositorySession {
    // A mirror is another party: the registry's credentials are none of its business.
    const auth = ping.endpoint.mirror ? undefined : request.auth;
    return new RepositorySession({
      ping,
      path: request.path,
      credentials: credentialsOf(auth),
      transport: this.#options.transport,
      authorizer: this.#authorizer,
      signal: request.signal,
    });
  }

  #remembered(url: string): Ping | undefined {
    const ping = this.#pings.get(url);
    return ping && ping.endMs > this.#options.clock.monotonic() ? ping : undefined;
  }

  async #ping(endpoint: Endpoint, signal: AbortSignal | undefined): Promise<Ping> {
    const known = this.#remembered(endpoint.url);
    if (known) return known;
    const { transport, clock } = this.#options;
    const url = `${endpoint.url}/v2/`;
    const { insecure } = endpoint;
    const answer = await transport
      .send({ method: 'GET', url, insecure, signal })
      .catch((error: unknown) => {
        throw isUnreachable(error) ? new UnansweredError(error) : error;
      });
    if (answer.status >= 500) throw await failure(answer, 'NAME_UNKNOWN');
    answer.body.destroy();
    const header = answer.status === 401 ? (answer.headers['www-authenticate'] ?? '') : '';
    const ping = { endpoint, challenges: parseChallenges(header) };
    if (this.#pings.size >= PINGS_MAX) this.#pings.clear();
    this.#pings.set(endpoint.url, { ...ping, endMs: clock.monotonic() + PING_REMEMBERED_MS });
    return ping;
  }
}

function isUnreachable(error: unknown): error is RegistryError {
  return error instanceof RegistryError && error.kind === 'unreachable';
}

/** Nothing answers at an endpoint at all: another protocol may. */
class UnansweredError extends RegistryError {
  constructor(cause: RegistryError) {
    super('unreachable', cause.message, { cause });
  }
}

/** The domain of a `serveraddress`: a host, or Docker Hub's URL of old. */
function registryDomain(address = ''): string {
  const host = address.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === '' || host === 'index.docker.io' ? 'docker.io' : host;
}
