import { type ExternalAddress, type ExternalAuthority, issuerOf } from '@skep/ca';
import { errorMessage, type Logger } from '@skep/platform';
import type { ClusterObject } from '@skep/wire';
import type { CAConfig, ExternalCA } from '@skep/wire/swarmkit';
import { authoritiesOf } from '../../ca/signing-material.js';
import { invalidArgument } from '../errors.js';
import { EXTERNAL_CAS_MAX } from '../limits.js';

/**
 * Checks the external authorities that a spec adds to those stored: an address that can never be
 * used would only show when nodes get no certificates. Throws INVALID_ARGUMENT.
 */
export function checkExternalCas(config: CAConfig, stored: readonly ExternalCA[]): void {
  if (config.externalCas.length > EXTERNAL_CAS_MAX) {
    throw invalidArgument(`at most ${EXTERNAL_CAS_MAX} external CAs can be given`);
  }
  for (const [at, { url, caCert }] of config.externalCas.entries()) {
    if (stored.some((known) => known.url === url && !Buffer.compare(known.caCert, caCert)))
      continue;
    const name = `external CA # ${at + 1}`;
    if (!URL.canParse(url)) throw invalidArgument(`${name}: invalid URL: ${JSON.stringify(url)}`);
    if (new URL(url).protocol !== 'https:') throw invalidArgument(`${name}: invalid HTTP scheme`);
    if (caCert.length > 0) checkCertificate(name, Buffer.from(caCert).toString());
  }
}

function checkCertificate(name: string, pem: string): void {
  try {
    issuerOf(pem);
  } catch (error) {
    throw invalidArgument(`${name}: could not parse the CA certificate: ${errorMessage(error)}`);
  }
}

export interface ReachOptions {
  external: ExternalAuthority | undefined;
  log: Logger | undefined;
}

/**
 * The external authority that a spec names for a root, once one of its addresses could be reached.
 * Throws INVALID_ARGUMENT where none can; `which` says in words which root it is.
 */
export async function reachableAuthority(
  rootPem: string,
  which: 'current' | 'next' | 'desired',
  { rootCa }: ClusterObject,
  config: CAConfig,
  { external, log }: ReachOptions,
): Promise<ExternalAddress> {
  const currentPem = Buffer.from(rootCa.caCert).toString();
  const urls = authoritiesOf(config.externalCas, rootPem, currentPem).map(({ url }) => url);
  try {
    await Promise.any(
      urls.map(async (url) => {
        if (!external) throw new Error('this manager cannot reach external CAs');
        await external.probe(url, rootPem);
      }),
    );
  } catch (error) {
    const reasons = error instanceof AggregateError ? error.errors.map(errorMessage) : [];
    log?.warn({ urls, reasons }, 'no external CA could be reached');
    throw invalidArgument(
      'there must be at least one valid, reachable external CA ' +
        `corresponding to the ${which} CA certificate`,
    );
  }
  return { urls, trustPem: rootPem };
}
