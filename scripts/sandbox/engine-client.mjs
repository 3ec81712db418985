import { createReadStream, statSync } from 'node:fs';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';

/** A call that gets no answer for this long has failed. */
const ANSWER_TIMEOUT_MS = 60_000;

/** The API's own message, of an answer that is an error. */
function errorText(text) {
  try {
    return JSON.parse(text).message;
  } catch {
    return text.trim();
  }
}

/** The Docker API on a unix socket, without any client installed. */
export class EngineClient {
  #socketPath;

  constructor(socketPath) {
    this.#socketPath = socketPath;
  }

  /** The parsed answer, or its text when it is not JSON. Rejects with the API's own message. */
  async call(method, path, body) {
    const json = body === undefined ? '' : JSON.stringify(body);
    const { sent, answered } = this.#send(method, path, 'application/json');
    sent.end(json);
    const { type, text } = await answered;
    return type.startsWith('application/json') && text ? JSON.parse(text) : text;
  }

  /** Loads an archive of images, as `docker load` does. */
  async load(archive) {
    const size = statSync(archive).size;
    const { sent, answered } = this.#send(
      'POST',
      '/images/load?quiet=1',
      'application/x-tar',
      size,
    );
    const [{ text }] = await Promise.all([answered, pipeline(createReadStream(archive), sent)]);
    for (const line of text.split('\n').filter((line) => line.trim().startsWith('{'))) {
      const { error } = JSON.parse(line);
      if (error) throw new Error(`loading ${archive}: ${error}`);
    }
  }

  async answers() {
    return this.call('GET', '/_ping').then(
      () => true,
      () => false,
    );
  }

  #send(method, path, contentType, contentLength) {
    const length = contentLength === undefined ? {} : { 'Content-Length': contentLength };
    const sent = request({
      socketPath: this.#socketPath,
      method,
      path,
      headers: { Host: 'skep', 'Content-Type': contentType, ...length },
      timeout: ANSWER_TIMEOUT_MS,
    });
    const answered = new Promise((resolve, reject) => {
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer`)));
      sent.on('error', reject);
      sent.on('response', async (response) => {
        let text = '';
        try {
          for await (const chunk of response.setEncoding('utf8')) text += chunk;
        } catch (error) {
          return reject(error);
        }
        if (response.statusCode >= 400) {
          return reject(new Error(errorText(text) || `${method} ${path}: ${response.statusCode}`));
        }
        resolve({ type: response.headers['content-type'] ?? '', text });
      });
    });
    return { sent, answered };
  }
}
