import { SimClock, silentLogger } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RegistryClient } from './client.js';
import { FakeRegistry, refuse } from './fake-registry.sim.js';
import { InsecureRegistries } from './insecure.js';
import { HttpTransport } from './transport.js';

const TYPE = 'application/vnd.oci.image.manifest.v1+json';
const DOCUMENT = { config: {}, layers: [] };

let registry: FakeRegistry;
let other: FakeRegistry;
let transport: HttpTransport;
let clock: SimClock;

beforeEach(async () => {
  registry = await FakeRegistry.start();
  other = await FakeRegistry.start();
  transport = new HttpTransport();
  clock = new SimClock();
});
afterEach(async () => {
  await transport.close();
  await Promise.all([registry.stop(), other.stop()]);
});

function client(mirrors: string[] = []): RegistryClient {
  const insecure = new InsecureRegistries([]);
  return new RegistryClient({ transport, clock, insecure, mirrors, logger: silentLogger });
}

function getManifest(from: RegistryClient, domain = registry.host, auth = {}): Promise<string> {
  const request = { domain, path: 'team/app', auth };
  return from.withRepository(request, async (session) => {
    return (await session.getManifest('v1', TYPE)).data.toString('utf8');
  });
}

/** Lets in who shows a bearer token that `valid` has; others are told where to get one. */
function demandToken(valid: Set<string>): void {
  registry.intercepts.push((request, response) => {
    if (request.path.startsWith('/token')) return false;
    if (valid.has(request.authorization?.replace('Bearer ', '') ?? '')) return false;
    const realm = `Bearer realm="http://${registry.host}/token",service="fake"`;
    response.setHeader('www-authenticate', realm);
    refuse(response, 401, 'UNAUTHORIZED', 'authentication required');
    return true;
  });
}

/** A token server that hands out `one`, `two`, …, and says how often it was asked. */
function serveTokens(valid: Set<string>, expiresIn = 300): () => number {
  let count = 0;
  registry.intercepts.unshift((request, response) => {
    if (!request.path.startsWith('/token')) return false;
    const token = `token-${++count}`;
    valid.add(token);
    response.end(JSON.stringify({ token, expires_in: expiresIn }));
    return true;
  });
  return () => count;
}

describe('tokens', () => {
  it('are fetched once and kept while they are valid', async () => {
    const valid = new Set<string>();
    demandToken(valid);
    const asked = serveTokens(valid);
    registry.addManifest('team/app', 'v1', TYPE, DOCUMENT);
    const one = client();
    await getManifest(one);
    await getManifest(one);
    expect(asked()).toBe(1);
    await clock.advance(295_000);
    await getManifest(one);
    expect(asked()).toBe(2);
  });

  it('are replaced when the registry takes them back early', async () => {
    const valid = new Set<string>();
    demandToken(valid);
    const asked = serveTokens(valid);
    registry.addManifest('team/app', 'v1', TYPE, DOCUMENT);
    const one = client();
    await getManifest(one);
    valid.clear();
    await getManifest(one);
    expect(asked()).toBe(2);
  });

  it('are not asked for again and again when the registry wants yet another', async () => {
    demandToken(new Set());
    const asked = serveTokens(new Set());
    await expect(getManifest(client())).rejects.toMatchObject({ kind: 'unauthorized' });
    expect(asked()).toBe(2);
  });

  it('are not shared between users', async () => {
    const valid = new Set<string>();
    demandToken(valid);
    const asked = serveTokens(valid);
    registry.addManifest('team/app', 'v1', TYPE, DOCUMENT);
    const one = client();
    await getManifest(one, registry.host, { username: 'a', password: 'a' });
    await getManifest(one, registry.host, { username: 'b', password: 'b' });
    expect(asked()).toBe(2);
  });

  it('fail plainly when the token server sends something else', async () => {
    demandToken(new Set());
    registry.intercepts.unshift((request, response) => {
      if (!request.path.startsWith('/token')) return false;
      response.end('<html>');
      return true;
    });
    await expect(getManifest(client())).rejects.toThrow(
      'authorization server did not include a token in the response',
    );
  });
});

describe('redirects', () => {
  it('keep credentials for the registry alone', async () => {
    const data = Buffer.from('layer');
    const { digest } = other.addBlob(data);
    registry.intercepts.push((request, response) => {
      if (request.authorization === undefined) {
        response.setHeader('www-authenticate', 'Basic realm="fake"');
        refuse(response, 401, 'UNAUTHORIZED', '');
        return true;
      }
      if (!request.path.includes('/blobs/')) return false;
      response.statusCode = 307;
      response.setHeader('location', `http://${other.host}${request.path}`);
      response.end();
      return true;
    });
    const auth = { username: 'alice', password: 'secret' };
    const request = { domain: registry.host, path: 'team/app', auth };
    const text = await client().withRepository(request, async (session) => {
      const { body } = await session.getBlob(digest, 0);
      return Buffer.concat(
        await (body as AsyncIterable<Buffer> & { toArray(): Promise<Buffer[]> }).toArray(),
      );
    });
    expect(text).toEqual(data);
    expect(registry.requests.at(-1)?.authorization).toMatch(/^Basic /);
    expect(other.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('end', async () => {
    registry.intercepts.push((request, response) => {
      response.statusCode = 302;
      response.setHeader('location', request.path);
      response.end();
      return true;
    });
    await expect(getManifest(client())).rejects.toThrow('stopped after 10 redirects');
  });
});

describe('answers that make no sense', () => {
  it('are not read without bound', async () => {
    registry.intercepts.push((request, response) => {
      if (!request.path.includes('/manifests/')) return false;
      const chunk = Buffer.alloc(1024 * 1024, 0x20);
      for (let count = 0; count < 8; count++) response.write(chunk);
      response.end();
      return true;
    });
    await expect(getManifest(client())).rejects.toThrow(/exceeds 4194304 bytes/);
  });

  it('are told when the server fails', async () => {
    registry.intercepts.push((_, response) => {
      response.statusCode = 502;
      response.end('bad gateway');
      return true;
    });
    await expect(getManifest(client())).rejects.toMatchObject({
      kind: 'unreachable',
      message: 'received unexpected HTTP status: 502 Bad Gateway',
    });
  });
});

describe('mirrors', () => {
  it('are asked first for images of Docker Hub, without its credentials', async () => {
    other.addManifest('team/app', 'v1', TYPE, DOCUMENT);
    const auth = { username: 'hub', password: 'secret' };
    const text = await getManifest(client([`http://${other.host}/`]), 'docker.io', auth);
    expect(text).toBe(JSON.stringify(DOCUMENT));
    expect(other.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  it('are not asked for images of other registries', async () => {
    registry.addManifest('team/app', 'v1', TYPE, DOCUMENT);
    await getManifest(client([`http://${other.host}`]));
    expect(other.requests).toEqual([]);
  });

  it('give way to the next one when they lack the image', async () => {
    registry.addManifest('team/app', 'v1', TYPE, DOCUMENT);
    const mirrors = [`http://${other.host}`, `http://${registry.host}`];
    expect(await getManifest(client(mirrors), 'docker.io')).toBe(JSON.stringify(DOCUMENT));
    expect(other.asked).toEqual(['GET /v2/team/app/manifests/v1']);
  });
});
