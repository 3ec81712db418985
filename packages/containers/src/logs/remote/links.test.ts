import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { SimClock, SimRandom } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOG_SEND_MS_MAX } from '../../limits.js';
import { RealKernel } from '../../linux/kernel.js';
import type { LogSubject } from '../attributes.js';
import { logPolicy } from '../options.js';
import { openUdpLink } from './datagram-link.js';
import { logDestination } from './destination.js';
import { openStreamLink } from './stream-link.js';

const LINES = [Buffer.from('one\n'), Buffer.from('two\n')];

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skep-links-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('openStreamLink', () => {
  let server: Server;
  let accepted: Promise<Socket>;
  let port: number;
  beforeEach(async () => {
    server = createServer();
    accepted = new Promise((resolve) => server.once('connection', resolve));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterEach(() => void server.close());

  const open = (clock = new SimClock(), signal = new AbortController().signal) =>
    openStreamLink(connect(port, '127.0.0.1'), { clock, signal, readyEvent: 'connect' });

  it('sends, and tells when the other side went', async () => {
    const clock = new SimClock();
    const link = await open(clock);
    const other = await accepted;
    const received = new Promise((resolve) => other.once('data', resolve));
    expect(await link.send(LINES)).toBe(2);
    expect(String(await received)).toBe('one\ntwo\n');
    other.destroy();
    await new Promise((resolve) => other.once('close', resolve));
    await expect(sendUntilLost(link)).rejects.toThrow();
    expect(clock.pendingTimers).toBe(0);
  });

  it('gives up on a receiver that takes nothing', async () => {
    const clock = new SimClock();
    const link = await open(clock);
    (await accepted).pause();
    const lost = expect(sendUntilLost(link)).rejects.toThrow(
      `no answer within ${LOG_SEND_MS_MAX} ms`,
    );
    await clock.advance(LOG_SEND_MS_MAX);
    await lost;
  });

  it('is refused where nobody listens, and lets itself be ended', async () => {
    server.close();
    await expect(open()).rejects.toThrow('ECONNREFUSED');
    const ended = new AbortController();
    ended.abort();
    await expect(open(new SimClock(), ended.signal)).rejects.toThrow();
  });
});

/** The kernel takes what fits, and says so, whether anybody reads it or not. */
async function sendUntilLost(link: Awaited<ReturnType<typeof openStreamLink>>): Promise<void> {
  const much = [Buffer.alloc(1024 * 1024)];
  for (;;) await link.send(much);
}

it('openUdpLink sends each record for itself', async () => {
  const receiver = createSocket('udp4');
  await new Promise<void>((resolve) => receiver.bind(0, '127.0.0.1', resolve));
  const got: string[] = [];
  const both = new Promise<void>((resolve) => {
    receiver.on('message', (message) => {
      if (got.push(String(message)) === LINES.length) resolve();
    });
  });
  const link = await openUdpLink('127.0.0.1', receiver.address().port);
  expect(await link.send(LINES)).toBe(2);
  await both;
  expect(got).toEqual(['one\n', 'two\n']);
  link.close();
  receiver.close();
});

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('logDestination', () => {
  const subject = {
    id: '0123456789abcdef',
    name: 'web',
    imageId: 'sha256:1',
    path: 'sh',
    args: [],
    config: { Labels: {}, Env: [], Image: 'web' },
  } as unknown as LogSubject;
  const destination = (options: Record<string, string>) =>
    logDestination(logPolicy({ Type: 'syslog', Config: options }), subject, {
      kernel: new RealKernel(),
      clock: new SimClock(),
      random: new SimRandom(1),
    });

  it('says at once what trying again would not mend', () => {
    const missing = join(directory, 'missing');
    const check = (options: Record<string, string>) => () => destination(options)?.check();
    expect(check({ 'syslog-address': `unix://${missing}` })).toThrow(
      `failed to initialize logging driver: stat ${missing}: no such file or directory`,
    );
    const secure = { 'syslog-address': 'tcp+tls://127.0.0.1:1', 'syslog-tls-ca-cert': missing };
    expect(check(secure)).toThrow(`could not read CA certificate "${missing}"`);
    writeFileSync(missing, 'pem');
    expect(check(secure)).not.toThrow();
    expect(check({ 'syslog-address': 'tcp://127.0.0.1:1' })).not.toThrow();
  });

  it.runIf(hasOpenssl())(
    'speaks TLS, framed, to a server that its authority vouches for',
    async () => {
      const [key, cert] = [join(directory, 'key'), join(directory, 'cert')];
      const subjects = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
      const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
      const files = ['-keyout', key, '-out', cert];
      execFileSync('openssl', ['req', '-x509', ...curve, ...subjects, ...files], {
        stdio: 'ignore',
      });
      const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) });
      const connected = new Promise<Socket>((resolve) => server.once('secureConnection', resolve));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = `tcp+tls://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const options = { 'syslog-address': address, 'syslog-format': 'rfc5424', tag: 'web' };
      const open = (more: Record<string, string>) => {
        const one = destination({ ...options, ...more });
        return one?.open(new AbortController().signal);
      };
      await expect(open({})).rejects.toThrow('self-signed certificate');
      const trusting = { 'syslog-tls-ca-cert': cert };
      const link = await open(trusting);
      const bytes = Buffer.from('hi\n');
      const record = destination(options)?.encode({ bytes, stream: 'stdout', timeNs: 0n });
      const received = connected.then(
        (other) => new Promise((resolve) => other.once('data', resolve)),
      );
      expect(await link?.send([record as Buffer])).toBe(1);
      expect(String(await received)).toMatch(/^\d+ <30>1 19(69|70)-\S+ \S+ web \d+ web - hi\n$/);
      link?.close();
      (await open({ 'syslog-tls-skip-verify': 'true' }))?.close();
      server.close();
    },
  );

  it('has names for people', () => {
    expect(destination({ 'syslog-address': 'udp://[::1]' })?.name).toBe('syslog udp://::1:514');
    const none = logPolicy({ Type: 'json-file', Config: {} });
    const means = { kernel: new RealKernel(), clock: new SimClock(), random: new SimRandom(1) };
    expect(logDestination(none, subject, means)).toBeUndefined();
  });
});
