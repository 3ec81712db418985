import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const HEAD_END = '\r\n\r\n';

/** Bytes of the whole answer at the start of `text`; undefined while it is not complete. */
function answerLength(text) {
  const headEnd = text.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const length = /content-length: *(\d+)/i.exec(text.slice(0, headEnd))?.[1];
  if (length === undefined) throw new Error(`an answer without a length: ${text.slice(0, 500)}`);
  const end = headEnd + HEAD_END.length + Number(length);
  return text.length >= end ? end : undefined;
}

/** One connection that sends a request, waits for its answer, sends the next. */
class Client {
  #text = '';
  #sentAtMs = 0;
  #socket;

  constructor({ target, nextBody, onAnswer }) {
    this.target = target;
    this.nextBody = nextBody;
    this.onAnswer = onAnswer;
  }

  /** Resolves when it was stopped; rejects with the first answer that is no success. */
  run() {
    return new Promise((resolve, reject) => {
      const socket = connect(this.target.connect);
      this.#socket = socket;
      socket.setNoDelay(true).setEncoding('latin1');
      socket.on('error', reject);
      socket.on('end', () => reject(new Error('the connection was closed')));
      socket.on('close', resolve);
      socket.on('connect', () => this.#send());
      socket.on('data', (chunk) => {
        try {
          this.#read(chunk);
        } catch (error) {
          socket.destroy(error);
        }
      });
    });
  }

  stop() {
    this.#socket.destroy();
  }

  #send() {
    const body = this.nextBody();
    const head = `POST ${this.target.path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json`;
    this.#sentAtMs = performance.now();
    this.#socket.write(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  }

  #read(chunk) {
    this.#text += chunk;
    if (answerLength(this.#text) === undefined) return;
    if (!/^HTTP\/1\.1 20[01] /.test(this.#text)) throw new Error(this.#text.slice(0, 500));
    this.#text = '';
    this.onAnswer(performance.now() - this.#sentAtMs);
    this.#send();
  }
}

/**
 * Posts JSON from many connections at once, one request at a time on each. `target`: `connect` as of
 * `net.connect`, and `path`. Resolves with answers a second and their latencies in ms, those of the
 * warm-up left out.
 */
export async function httpLoad({ target, nextBody, clients: count, warmUpMs, measureMs }) {
  const latencies = [];
  let isCounting = false;
  const onAnswer = (ms) => isCounting && latencies.push(ms);
  const make = () => new Client({ target, nextBody, onAnswer });
  const clients = Array.from({ length: count }, make);
  const running = Promise.all(clients.map((client) => client.run()));
  await Promise.race([running, sleep(warmUpMs)]);
  isCounting = true;
  const begunMs = performance.now();
  await Promise.race([running, sleep(measureMs)]);
  isCounting = false;
  const tookMs = performance.now() - begunMs;
  for (const client of clients) client.stop();
  await running;
  return { perSecond: latencies.length / (tookMs / 1_000), latencies };
}
