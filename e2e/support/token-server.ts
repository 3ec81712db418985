import { createPrivateKey, type KeyObject, randomUUID, sign, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from './exec.js';

const ISSUER = 'test-issuer';
const SERVICE = 'test-registry';
const LIFE_SECONDS = 300;

/** What answers to an identity token. */
export const IDENTITY_TOKEN = 'identity-of-alice';

/**
 * A token server as Docker's registries use them: basic credentials or an identity token for a JWT.
 */
export class TokenServer {
  readonly #directory: string;
  readonly #key: KeyObject;
  readonly #certificate: X509Certificate;
  readonly #server: Server;
  readonly #user: { username: string; password: string };
  /** Scopes asked for, in order. */
  readonly asked: string[] = [];

  private constructor(directory: string, user: { username: string; password: string }) {
    this.#directory = directory;
    this.#user = user;
    this.#key = createPrivateKey(readFileSync(join(directory, 'key.pem')));
    this.#certificate = new X509Certificate(readFileSync(join(directory, 'certificate.pem')));
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(user: { username: string; password: string }): Promise<TokenServer> {
    const directory = mkdtempSync(join(tmpdir(), 'skep-token-'));
    const files = { key: join(directory, 'key.pem'), out: join(directory, 'certificate.pem') };
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const output = ['-keyout', files.key, '-out', files.out, '-subj', '/CN=test', '-days', '2'];
    await must('openssl', ['req', '-x509', ...curve, ...output]);
    const server = new TokenServer(directory, user);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get registryConfig() {
    const { port } = this.#server.address() as AddressInfo;
    return {
      realm: `http://127.0.0.1:${port}/token`,
      service: SERVICE,
      issuer: ISSUER,
      rootcertbundle: join(this.#directory, 'certificate.pem'),
    };
  }

  async dispose(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** A token for a scope (`repository:NAME:ACTIONS`); an empty one grants nothing. */
  mint(scope: string): string {
    const [type, name, actions] = scope.split(':');
    const access = actions === undefined ? [] : [{ type, name, actions: actions.split(',') }];
    const nowSeconds = Math.floor(Date.now() / 1_000);
    const header = { typ: 'JWT', alg: 'ES256', x5c: [this.#certificate.raw.toString('base64')] };
    const claims = {
      iss: ISSUER,
      sub: this.#user.username,
      aud: SERVICE,
      iat: nowSeconds,
      nbf: nowSeconds - 10,
      exp: nowSeconds + LIFE_SECONDS,
      jti: randomUUID(),
      access,
    };
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${encode(header)}.${encode(claims)}`;
    const key = { key: this.#key, dsaEncoding: 'ieee-p1363' as const };
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const form = new URLSearchParams(body);
    const url = new URL(request.url ?? '', 'http://token');
    const scope = form.get('scope') ?? url.searchParams.get('scope') ?? '';
    this.asked.push(scope);
    const pair = `${this.#user.username}:${this.#user.password}`;
    const basic = `Basic ${Buffer.from(pair).toString('base64')}`;
    const mayEnter =
      request.method === 'POST'
        ? form.get('refresh_token') === IDENTITY_TOKEN
        : request.headers.authorization === basic;
    const isAnonymous = request.headers.authorization === undefined && request.method === 'GET';
    response.setHeader('content-type', 'application/json');
    if (!mayEnter && !isAnonymous) {
      response.statusCode = 401;
      response.end(JSON.stringify({ details: 'incorrect username or password' }));
      return;
    }
    const refresh = url.searchParams.get('offline_token') === 'true' && mayEnter;
    response.end(
      JSON.stringify({
        token: this.mint(isAnonymous ? '' : scope),
        expires_in: LIFE_SECONDS,
        ...(refresh && { refresh_token: IDENTITY_TOKEN }),
      }),
    );
  }
}
