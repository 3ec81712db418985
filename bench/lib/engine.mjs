import { createReadStream } from 'node:fs';
import { request } from 'node:http';

/** An Engine API on a unix socket: the same calls for skepd and for dockerd. */
export class Engine {
  constructor(socketPath) {
    this.socketPath = socketPath;
  }

  /** Status and parsed body. `body` is an object (sent as JSON) or a readable stream (an archive). */
  call(method, path, body) {
    const isStream = typeof body?.pipe === 'function';
    const json = body === undefined || isStream ? undefined : JSON.stringify(body);
    const headers = isStream
      ? { 'Content-Type': 'application/x-tar' }
      : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(json ?? '') };
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: this.socketPath, method, path, headers }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if (answer.statusCode >= 400) {
            return reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
          }
          resolve(text === '' || isStream ? text : parse(text));
        });
      });
      sent.on('error', reject);
      if (isStream) body.pipe(sent);
      else sent.end(json);
    });
  }

  load(archive) {
    return this.call('POST', '/v1.41/images/load?quiet=1', createReadStream(archive));
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
