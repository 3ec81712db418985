import { type RequestOptions, request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import type { HttpsClient, HttpsResponse, HttpsTarget } from './contract.js';

const HTTPS_PORT = 443;
/** Addresses are not sent as server names. */
const IP_ADDRESS = /^[\d.]+$|:/;

/** HTTPS over real sockets, a connection for each exchange. Redirects are not followed. */
export class RealHttpsClient implements HttpsClient {
  post(target: HttpsTarget, json: string, responseBytesMax: number): Promise<HttpsResponse> {
    return new Promise((resolve, reject) => {
      const options: RequestOptions = {
        ...tlsOptions(target),
        method: 'POST',
        agent: false,
        signal: target.signal,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) },
      };
      const call = request(new URL(target.url), options, (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          bytes += chunk.length;
          if (bytes > responseBytesMax) call.destroy(new Error('the answer is too long'));
        });
        response.on('error', reject);
        response.on('end', () => {
          const body = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, body });
        });
      });
      call.on('error', reject);
      call.end(json);
    });
  }

  async connect(target: HttpsTarget): Promise<void> {
    const { hostname, port } = new URL(target.url);
    const host = hostname.replace(/^\[|\]$/g, '');
    let socket: TLSSocket | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const abort = () => reject(target.signal.reason);
        if (target.signal.aborted) return abort();
        target.signal.addEventListener('abort', abort, { once: true });
        socket = connect({
          ...tlsOptions(target),
          host,
          port: port === '' ? HTTPS_PORT : Number(port),
          ...(IP_ADDRESS.test(host) ? {} : { servername: host }),
        });
        socket.once('secureConnect', resolve);
        socket.once('error', reject);
      });
    } finally {
      socket?.on('error', () => {});
      socket?.destroy();
    }
  }
}

function tlsOptions({ trustPem, identity }: HttpsTarget) {
  const own = identity ? { cert: identity.certificatePem, key: identity.keyPem } : {};
  return { ca: trustPem, minVersion: 'TLSv1.2' as const, ...own };
}
