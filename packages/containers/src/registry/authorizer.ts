import type { Clock } from '@skep/platform';
import type { RegistryAuth } from '../contract/engine.js';
import type { Challenge } from './challenge.js';
import { errorOfAnswer, RegistryError } from './errors.js';
import { TOKEN_DEFAULT_MS, TOKEN_MARGIN_MS, TOKENS_MAX } from './limits.js';
import { type Headers, readBody, type Transport } from './transport.js';

const CLIENT_ID = 'docker';
const MS_PER_S = 1_000;

interface Token {
  value: string;
  /** Identity token handed out with it, if any. */
  refresh: string;
  endMs: number;
}

/** How one user proves themself to one registry. */
export interface Credentials {
  username: string;
  password: string;
  identityToken: string;
  registryToken: string;
}

export function credentialsOf(auth: RegistryAuth | undefined): Credentials {
  return {
    username: auth?.username ?? '',
    password: auth?.password ?? '',
    identityToken: auth?.identitytoken ?? '',
    registryToken: auth?.registrytoken ?? '',
  };
}

/**
 * Answers challenges: basic credentials, or tokens from the server the registry names, kept while
 * valid.
 */
export class Authorizer {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Token>();

  constructor(options: { transport: Transport; clock: Clock }) {
    this.#transport = options.transport;
    this.#clock = options.clock;
  }

  /**
   * The `authorization` header for a request, by the registry's challenges; empty when it asks
   * nothing.
   */
  async headers(
    challenges: readonly Challenge[],
    credentials: Credentials,
    request: { scope: string; insecure: boolean; signal?: AbortSignal | undefined },
  ): Promise<Headers> {
    if (challenges.length === 0) return {};
    if (credentials.registryToken) return { authorization: `Bearer ${credentials.registryToken}` };
    const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
    if (bearer) {
      const token = await this.token(bearer, credentials, request);
      return { authorization: `Bearer ${token.value}` };
    }
    const basic = challenges.find((challenge) => challenge.scheme === 'basic');
    if (!basic) return {};
    if (!credentials.username) {
      throw new RegistryError('unauthorized', 'no basic auth credentials');
    }
    return { authorization: basicHeader(credentials) };
  }

  /** A token for a scope; `offline` also asks for an identity token to log in with later. */
  async token(
    challenge: Challenge,
    credentials: Credentials,
    request: {
      scope: string;
      insecure: boolean;
      offline?: boolean;
      signal?: AbortSignal | undefined;
    },
  ): Promise<Token> {
    const { realm, service = '' } = challenge.parameters;
    if (realm === undefined || !URL.canParse(realm)) {
      throw new RegistryError('invalid', 'the registry names no token server');
    }
    const { username, password, identityToken } = credentials;
    const who = JSON.stringify([username, password, identityToken]);
    const key = JSON.stringify([realm, service, request.scope, who, request.offline ?? false]);
    const known = this.#tokens.get(key);
    if (known && known.endMs - TOKEN_MARGIN_MS > this.#clock.monotonic()) return known;
    const ask = { realm, service, credentials, ...request };
    const token = identityToken ? await this.#exchange(ask) : await this.#fetch(ask);
    this.#tokens.delete(key);
    if (this.#tokens.size >= TOKENS_MAX) {
      const oldest = this.#tokens.keys().next().value;
      if (oldest !== undefined) this.#tokens.delete(oldest);
    }
    this.#tokens.set(key, token);
    return token;
  }

  /** Forgets all tokens, after one was refused before its time. */
  forget(): void {
    this.#tokens.clear();
  }

  #fetch(ask: TokenRequest): Promise<Token> {
    const url = new URL(ask.realm);
    if (ask.service) url.searchParams.set('service', ask.service);
    for (const scope of ask.scope.split(' ').filter(Boolean)) {
      url.searchParams.append('scope', scope);
    }
    const { username } = ask.credentials;
    if (username) url.searchParams.set('account', username);
    if (ask.offline) {
      url.searchParams.set('offline_token', 'true');
      url.searchParams.set('client_id', CLIENT_ID);
    }
    const headers: Headers = username ? { authorization: basicHeader(ask.credentials) } : {};
    return this.#receive({ method: 'GET', url: url.href, headers, ...connection(ask) });
  }

  /** OAuth 2: an identity token for an access token. */
  #exchange(ask: TokenRequest): Promise<Token> {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: ask.credentials.identityToken,
      service: ask.service,
      client_id: CLIENT_ID,
      scope: ask.scope,
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = form.toString();
    return this.#receive({ method: 'POST', url: ask.realm, headers, body, ...connection(ask) });
  }

  async #receive(request: Parameters<Transport['send']>[0]): Promise<Token> {
    const answer = await this.#transport.send(request);
    const body = (await readBody(answer)).toString('utf8');
    if (answer.status < 200 || answer.status >= 300) {
      throw errorOfAnswer(answer.status, body, 'NAME_UNKNOWN');
    }
    const token = parseToken(body);
    if (!token) {
      throw new RegistryError(
        'invalid',
        'authorization server did not include a token in the response',
      );
    }
    const { value, refresh, lifeMs } = token;
    return { value, refresh, endMs: this.#clock.monotonic() + lifeMs };
  }
}

interface TokenRequest {
  realm: string;
  service: string;
  scope: string;
  credentials: Credentials;
  insecure: boolean;
  offline?: boolean;
  signal?: AbortSignal | undefined;
}

function connection({ insecure, signal }: TokenRequest) {
  return { insecure, signal };
}

function basicHeader({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function parseToken(body: string): { value: string; refresh: string; lifeMs: number } | undefined {
  try {
    const json = JSON.parse(body) as Record<string, unknown>;
    const value = json['token'] || json['access_token'];
    if (typeof value !== 'string' || value === '') return undefined;
    const seconds = json['expires_in'];
    const stated = typeof seconds === 'number' && seconds > 0 ? seconds * MS_PER_S : 0;
    const refresh = json['refresh_token'];
    return {
      value,
      refresh: typeof refresh === 'string' ? refresh : '',
      lifeMs: Math.max(stated, TOKEN_DEFAULT_MS),
    };
  } catch {
    return undefined;
  }
}
