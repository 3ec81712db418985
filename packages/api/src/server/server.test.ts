import { connect } from 'node:net';
import { Code, RpcError, silentLogger } from '@skep/platform';
import { afterEach, describe, expect, it } from 'vitest';
import { callManager } from './errors.js';
import { filters, flag, instantNs } from './query.js';
import { createServer, type Routes } from './server.js';
import { frame, RAW_STREAM } from './stdcopy.js';

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function make(...groups: Routes[]) {
  const app = createServer({ log: silentLogger, serverName: 'Skep/test' }, groups);
  stops.push(() => app.close());
  return app;
}

describe('server', () => {
  const routes: Routes = (app) => {
    app.get('/thing/:id', async (request) => ({ version: request.apiVersion }));
    app.post('/body', async (request) => request.body ?? 'none');
    app.get('/manager', () =>
      callManager(() => Promise.reject(new RpcError(Code.NOT_FOUND, 'service x not found'))),
    );
  };

  it('serves with and without a version, and refuses versions out of range in Docker words', async () => {
    const app = make(routes);
    expect((await app.inject('/v1.41/thing/a')).json()).toEqual({ version: '1.41' });
    expect((await app.inject('/thing/a')).json()).toEqual({ version: '1.51' });
    const tooNew = await app.inject('/v1.99/thing/a');
    expect(tooNew.statusCode).toBe(400);
    expect(tooNew.json().message).toContain('client version 1.99 is too new');
    expect((await app.inject('/v1.9/thing/a')).json().message).toContain('is too old');
    expect((await app.inject('/nowhere')).json()).toEqual({ message: 'page not found' });
  });

  it('answers broken JSON with 400, too much with 413, and takes an empty body', async () => {
    const app = make(routes);
    const headers = { 'content-type': 'application/json' };
    const post = (payload: string) =>
      app.inject({ method: 'POST', url: '/body', headers, payload });
    expect((await post('{"a":')).statusCode).toBe(400);
    expect((await post(`"${'x'.repeat(9 * 1024 * 1024)}"`)).statusCode).toBe(413);
    expect((await post('')).body).toBe('none');
  });

  it('passes errors of the manager on as gRPC writes them', async () => {
    const answer = await make(routes).inject('/manager');
    expect(answer.statusCode).toBe(404);
    expect(answer.json().message).toBe('rpc error: code = NotFound desc = service x not found');
  });

  it('takes over a connection, with a body before the switch and input behind it', async () => {
    const app = make((_, hijack) => {
      hijack.post('/exec/:id/start', async (request) => {
        const socket = request.accept(RAW_STREAM);
        socket.write(`${request.params.id} ${request.body.Tty} `);
        socket.pipe(socket);
      });
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as { port: number };
    const socket = connect(port, '127.0.0.1');
    const head = 'POST /v1.41/exec/e1/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n';
    socket.write(`${head}Upgrade: tcp\r\nContent-Length: 12\r\n\r\n{"Tty":true}hello`);
    let seen = '';
    for await (const chunk of socket) {
      seen += chunk;
      if (seen.includes('hello')) break;
    }
    expect(seen).toContain('101 UPGRADED');
    expect(seen).toContain('e1 true hello');
  });
});

describe('query', () => {
  it('reads filters in both shapes and refuses unknown keys', () => {
    expect(filters({ filters: '{"name":["a"]}' })).toEqual({ name: ['a'] });
    expect(filters({ filters: '{"name":{"a":true,"b":false}}' })).toEqual({ name: ['a'] });
    expect(() => filters({ filters: '{"x":["a"]}' }, ['name'])).toThrow("invalid filter 'x'");
    expect(() => filters({ filters: '{"name"' })).toThrow('invalid filter');
  });

  it('reads flags and instants', () => {
    expect(flag({ force: '1' }, 'force')).toBe(true);
    expect(flag({ force: 'false' }, 'force')).toBe(false);
    expect(instantNs({ since: '1700000000.5' }, 'since')).toBe(1_700_000_000_500_000_000n);
    expect(instantNs({ since: '2023-11-14T22:13:20Z' }, 'since')).toBe(1_700_000_000_000_000_000n);
  });
});

describe('frame', () => {
  it('puts stream number and length in front', () => {
    expect([...frame('stderr', Buffer.from('ab'))]).toEqual([2, 0, 0, 0, 0, 0, 0, 2, 97, 98]);
  });
});
