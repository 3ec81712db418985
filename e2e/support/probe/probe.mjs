// Server and client of the network tests: runs in containers, in machines and on the host, with
// nothing but Node. Clients print one JSON value.
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { createServer as createHttpServer, request } from 'node:http';
import { createServer, isIP } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const NAME = process.env.PROBE_NAME ?? hostname();
const ECHO_PORT = 7;
const ANSWER_TIMEOUT_MS = 3_000;
/** After the stop signal, connections on which nothing more is asked are waited for this long. */
const FAREWELL_MS = 3_000;

/** Who answered, whom it saw asking, and at which address. */
function seen({ remoteAddress, localAddress }, more = {}) {
  const plain = (address) => address.replace('::ffff:', '');
  return JSON.stringify({
    name: NAME,
    from: plain(remoteAddress),
    to: plain(localAddress),
    ...more,
  });
}

/**
 * As a well-behaved web server: after SIGTERM it says goodbye with the next answer on each connection,
 * and ends when none is left.
 */
function serveHttp(port) {
  const sockets = new Set();
  let isLeaving = false;
  const server = createHttpServer((asked, answer) => {
    let bytes = 0;
    asked.on('data', (chunk) => {
      bytes += chunk.length;
    });
    asked.on('end', () => {
      const body = `${seen(asked.socket, { bytes })}\n`;
      const length = { 'Content-Length': Buffer.byteLength(body) };
      answer.writeHead(200, isLeaving ? { ...length, Connection: 'close' } : length);
      answer.end(body);
    });
  });
  const endIfAlone = () => isLeaving && sockets.size === 0 && process.exit(0);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      endIfAlone();
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(port, '0.0.0.0');
  process.once('SIGTERM', () => {
    isLeaving = true;
    endIfAlone();
    setTimeout(() => process.exit(0), FAREWELL_MS);
  });
}

/** Answers each datagram, and tells each TCP connection who it is before it echoes. */
function serveEcho(udpPort) {
  const udp = createSocket('udp4');
  udp.on('message', (data, { address, port }) => {
    const ends = { remoteAddress: address, localAddress: '' };
    udp.send(seen(ends, { bytes: data.length }), port, address);
  });
  udp.bind(udpPort);
  createServer((socket) => {
    socket.on('error', () => {});
    socket.write(`${seen(socket)}\n`);
    socket.on('data', (data) => socket.write(data));
  }).listen(ECHO_PORT, '0.0.0.0');
}

/** An answer's object, or the code of the error there was instead. */
function http(url, bytes = 0, localAddress = undefined) {
  const method = bytes > 0 ? 'PUT' : 'GET';
  const options = { method, localAddress, agent: false, timeout: ANSWER_TIMEOUT_MS };
  const begunMs = performance.now();
  return new Promise((resolve) => {
    const sent = request(url, options, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ ...JSON.parse(text), ms: performance.now() - begunMs }));
      answer.on('error', ({ code }) => resolve(code));
    });
    sent.on('timeout', () => sent.destroy(Object.assign(new Error('late'), { code: 'TIMEOUT' })));
    sent.on('error', ({ code }) => resolve(code));
    sent.end(Buffer.alloc(bytes));
  });
}

/** The same by one datagram, and its answer. */
function udp(host, port, bytes = 1) {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (result) => {
      clearTimeout(timer);
      socket.close();
      resolve(result);
    };
    const timer = setTimeout(() => end('TIMEOUT'), ANSWER_TIMEOUT_MS);
    socket.on('message', (data) => end(JSON.parse(String(data))));
    socket.on('error', ({ code }) => end(code));
    // Connected, so that it hears of a port that nobody listens on.
    socket.connect(port, host, (error) =>
      error ? end(error.code) : socket.send(Buffer.alloc(bytes)),
    );
  });
}

async function repeat(times, ask) {
  const answers = [];
  for (let round = 0; round < times; round++) answers.push(await ask());
  return answers;
}

/** Sorted addresses of a name, names of an address, or the error's code. */
async function lookUp(name) {
  const resolver = new Resolver({ timeout: ANSWER_TIMEOUT_MS, tries: 1 });
  try {
    const found = isIP(name) ? await resolver.reverse(name) : await resolver.resolve4(name);
    return found.sort();
  } catch (error) {
    return error.code;
  }
}

async function lookUpAll(names) {
  const answers = names.map(async (name) => [name, await lookUp(name)]);
  return Object.fromEntries(await Promise.all(answers));
}

/** When a name was gone, and when it was back: by looks every 20 ms, for half a minute at most. */
async function absence(name) {
  const giveUpAtMs = Date.now() + 30_000;
  const when = async (isThere) => {
    while (Array.isArray(await lookUp(name)) !== isThere && Date.now() < giveUpAtMs)
      await sleep(20);
    return Date.now();
  };
  return { goneAtMs: await when(false), backAtMs: await when(true) };
}

const COMMANDS = {
  get: (url, times) => repeat(Number(times), () => http(url)),
  from: (address, url, times) => repeat(Number(times), () => http(url, 0, address)),
  put: (url, bytes) => http(url, Number(bytes)),
  udp: (host, port, times) => repeat(Number(times), () => udp(host, Number(port))),
  datagram: (host, port, bytes) => udp(host, Number(port), Number(bytes)),
  lookup: (...names) => lookUpAll(names),
  absence,
};

const [command, ...words] = process.argv.slice(2);
if (command === 'serve') {
  serveHttp(80);
  serveEcho(80);
} else {
  process.stdout.write(JSON.stringify(await COMMANDS[command](...words)));
}
