import { type Clock, Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import { EXTERNAL_RESPONSE_BYTES_MAX, EXTERNAL_TIMEOUT_MS } from '../limits.js';
import type {
  ExternalAddress,
  ExternalAuthority,
  ExternalCertificate,
  HttpsClient,
  HttpsResponse,
  HttpsTarget,
} from './contract.js';

export interface CfsslOptions {
  https: HttpsClient;
  clock: Clock;
  log: Logger;
  /** This manager's certificate and key, by which the authority knows it. */
  identity(): { certificatePem: string; keyPem: string } | undefined;
}

/** External authorities that speak CFSSL's JSON, the only protocol SwarmKit knows. */
export class CfsslAuthority implements ExternalAuthority {
  readonly #options: CfsslOptions;

  constructor(options: CfsslOptions) {
    this.#options = options;
  }

  async sign(
    address: ExternalAddress,
    certificate: ExternalCertificate,
    signal?: AbortSignal,
  ): Promise<string> {
    const { https, log } = this.#options;
    const json = JSON.stringify(toJson(certificate));
    let last = unavailable('no external CA URLs');
    for (const url of address.urls) {
      if (signal?.aborted) break;
      try {
        const post = (target: HttpsTarget) => https.post(target, json, EXTERNAL_RESPONSE_BYTES_MAX);
        const response = await this.#within(url, address.trustPem, post, signal);
        return certificateOf(response);
      } catch (error) {
        last = error instanceof RpcError ? error : unavailable(errorMessage(error));
        log.warn({ url, error: last.message }, 'an external CA did not sign');
      }
    }
    throw last;
  }

  async probe(url: string, trustPem: string): Promise<void> {
    await this.#within(url, trustPem, (target) => this.#options.https.connect(target));
  }

  async #within<R>(
    url: string,
    trustPem: string,
    exchange: (target: HttpsTarget) => Promise<R>,
    given?: AbortSignal,
  ): Promise<R> {
    const { clock, identity } = this.#options;
    const timeout = new AbortController();
    const late = new Error(`no answer within ${EXTERNAL_TIMEOUT_MS / 1000} s`);
    const cancel = clock.after(EXTERNAL_TIMEOUT_MS, () => timeout.abort(late));
    const signal = given ? AbortSignal.any([given, timeout.signal]) : timeout.signal;
    try {
      return await exchange({ url, trustPem, identity: identity(), signal });
    } catch (error) {
      const cause = timeout.signal.aborted ? late : error;
      const text = `unable to perform certificate signing request: ${errorMessage(cause)}`;
      throw unavailable(text, cause);
    } finally {
      cancel();
    }
  }
}

function unavailable(message: string, cause?: unknown): RpcError {
  return new RpcError(Code.UNAVAILABLE, message, { cause });
}

function toJson(certificate: ExternalCertificate): object {
  const { csrPem, commonName, names, hosts, profile, extensions } = certificate;
  return {
    hosts,
    certificate_request: csrPem,
    subject: { CN: commonName, names: Object.keys(names).length > 0 ? [names] : [] },
    profile,
    extensions: extensions?.map(({ id, isCritical, valueDer }) => ({
      id,
      critical: isCritical,
      value: Buffer.from(valueDer).toString('hex'),
    })),
  };
}

interface CfsslResponse {
  success?: unknown;
  result?: { certificate?: unknown } | null;
  errors?: readonly { code?: unknown; message?: unknown }[] | null;
}

/** The certificate an answer holds; UNAVAILABLE for what is not CFSSL's answer at all. */
function certificateOf({ status, body }: HttpsResponse): string {
  if (status !== 200) {
    throw unavailable(`unexpected status code in CSR response: ${status} - ${body}`);
  }
  const response = parse(body);
  const certificate = response.result?.certificate;
  if (response.success !== true || typeof certificate !== 'string') {
    const errors = (response.errors ?? []).map(({ code, message }) => `{${code} ${message}}`);
    const text =
      errors.length > 0
        ? `response errors: [${errors.join(' ')}]`
        : 'certificate signing request failed';
    throw new RpcError(Code.INVALID_ARGUMENT, text);
  }
  return certificate.endsWith('\n') ? certificate : `${certificate}\n`;
}

function parse(body: string): CfsslResponse {
  try {
    const response: unknown = JSON.parse(body);
    if (typeof response === 'object' && response !== null) return response;
  } catch {
    // said below, as of any other text that is no answer
  }
  throw unavailable('unable to parse JSON response');
}
