import { request } from 'node:http';

/** An Engine API on a unix socket: the same calls for skepd and for dockerd. */
export class Engine {
  constructor(socketPath) {
    this.socketPath = socketPath;
  }

  /** The parsed body. `body` is sent as JSON. */
  call(method, path, body) {
    const json = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(json),
    };
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: this.socketPath, method, path, headers }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if (answer.statusCode >= 400) {
            return reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
          }
          resolve(parse(text));
        });
      });
      sent.on('error', reject);
      sent.end(json);
    });
  }

  async pull(reference) {
    const answer = await this.call(
      'POST',
      `/v1.41/images/create?fromImage=${encodeURIComponent(reference)}`,
    );
    if (String(answer).includes('"error"')) throw new Error(`pull ${reference}: ${answer}`);
  }

  async answers() {
    try {
      await this.call('GET', '/_ping');
      return true;
    } catch {
      return false;
    }
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
