import { create } from '@bufbuild/protobuf';
import {
  checkCrossSigned,
  crossSigningFields,
  type ExternalAddress,
  type ExternalAuthority,
  normalizePem,
  RootCa,
} from '@skep/ca';
import { type Clock, Code, errorMessage, type Logger, type Random, RpcError } from '@skep/platform';
import type { ClusterObject } from '@skep/wire';
import { type CAConfig, RootRotationSchema } from '@skep/wire/swarmkit';
import { invalidArgument } from '../errors.js';
import { ROOT_EXPIRY_MS_MIN } from '../limits.js';
import { reachableAuthority } from './external-cas.js';

export interface RootChangeOptions {
  clock: Clock;
  random: Random;
  external: ExternalAuthority | undefined;
  log: Logger | undefined;
}

type ClusterRoot = ClusterObject['rootCa'];

/** A root that a swarm is to have: its certificate, and its key where the swarm itself is to sign. */
interface WantedRoot {
  pem: string;
  keyPem: string | undefined;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

/**
 * A cluster's root of trust under a new configuration: as it is, on its way to another root, or
 * back from there (SwarmKit's rules). Nothing is written. Throws INVALID_ARGUMENT in Docker's words.
 */
export async function rootUnder(
  config: CAConfig,
  cluster: ClusterObject,
  options: RootChangeOptions,
): Promise<ClusterRoot> {
  const { rootCa } = cluster;
  const currentPem = normalizePem(text(rootCa.caCert));
  const wanted = wantedRoot(config);
  let currentAuthority: ExternalAddress | undefined;
  if (rootCa.caKey.length === 0) {
    if (wanted?.pem === currentPem && wanted.keyPem !== undefined) {
      takeUp(wanted, options);
      return settledOn(rootCa, config);
    }
    currentAuthority = await reachableAuthority(currentPem, 'current', cluster, config, options);
  }
  if (wanted) return rootWanted(wanted, currentAuthority, config, cluster, options);
  if (rootCa.lastForcedRotation !== config.forceRotate) {
    const { certificatePem: pem, keyPem } = RootCa.create(options);
    return rotatingTo({ pem, keyPem }, currentAuthority, config, rootCa, options);
  }
  const rotation = rootCa.rootRotation;
  if (rotation && rotation.caKey.length === 0) {
    const nextPem = normalizePem(text(rotation.caCert));
    await reachableAuthority(nextPem, 'next', cluster, config, options);
  }
  return rootCa;
}

/** The root that a configuration names; undefined where it leaves that to the swarm. */
function wantedRoot({ signingCaCert, signingCaKey }: CAConfig): WantedRoot | undefined {
  if (signingCaKey.length > 0 && signingCaCert.length === 0) {
    throw invalidArgument(
      'if a signing CA key is provided, the signing CA cert must also be provided',
    );
  }
  if (signingCaCert.length === 0) return undefined;
  const pem = normalizePem(text(signingCaCert));
  if (pem === '') throw invalidArgument('could not parse the desired CA certificate');
  return { pem, keyPem: signingCaKey.length > 0 ? text(signingCaKey) : undefined };
}

async function rootWanted(
  wanted: WantedRoot,
  currentAuthority: ExternalAddress | undefined,
  config: CAConfig,
  cluster: ClusterObject,
  options: RootChangeOptions,
): Promise<ClusterRoot> {
  const { rootCa } = cluster;
  const currentPem = normalizePem(text(rootCa.caCert));
  checkLifetime(takeUp(wanted, options), options.clock.now());
  if (wanted.keyPem === undefined) {
    await reachableAuthority(wanted.pem, 'desired', cluster, config, options);
  }
  if (wanted.pem === currentPem) return settledOn(rootCa, config);
  checkOtherKey(wanted, currentPem, options);
  const rotation = rootCa.rootRotation;
  if (rotation && normalizePem(text(rotation.caCert)) === wanted.pem) {
    const rootRotation = { ...rotation, caKey: config.signingCaKey };
    return { ...rootCa, rootRotation, lastForcedRotation: config.forceRotate };
  }
  return rotatingTo(wanted, currentAuthority, config, rootCa, options);
}

/** Throws INVALID_ARGUMENT for a root that nodes would refuse, or whose key does not fit. */
function takeUp({ pem, keyPem }: WantedRoot, dependencies: RootChangeOptions): RootCa {
  const key = keyPem === undefined ? {} : { keyPem };
  return new RootCa({ certificatePem: pem, ...key }, dependencies);
}

function checkLifetime({ certificates }: RootCa, nowMs: number): void {
  const [certificate, ...others] = certificates;
  if (!certificate || others.length > 0) {
    throw invalidArgument('the desired CA certificate cannot contain multiple certificates');
  }
  if (certificate.notAfterMs < nowMs + ROOT_EXPIRY_MS_MIN) {
    throw invalidArgument('CA certificate expires too soon');
  }
}

/** Chains with two certificates of one key do not verify in Go: such a rotation would never end. */
function checkOtherKey(wanted: WantedRoot, currentPem: string, options: RootChangeOptions): void {
  const current = new RootCa({ certificatePem: currentPem }, options);
  const { issuerPublicKeyDer } = takeUp(wanted, options);
  if (Buffer.compare(current.issuerPublicKeyDer, issuerPublicKeyDer) !== 0) return;
  throw invalidArgument('Cannot update to a cert with an identical key');
}

/** The current root stays; who signs may change, and a rotation under way is given up. */
function settledOn(rootCa: ClusterRoot, config: CAConfig): ClusterRoot {
  return {
    ...rootCa,
    caKey: config.signingCaKey,
    rootRotation: undefined,
    lastForcedRotation: config.forceRotate,
  };
}

/** On the way to another root, in place of any rotation under way. */
async function rotatingTo(
  wanted: WantedRoot,
  currentAuthority: ExternalAddress | undefined,
  { forceRotate }: CAConfig,
  rootCa: ClusterRoot,
  options: RootChangeOptions,
): Promise<ClusterRoot> {
  const crossSigned = await crossSignedBy(rootCa, wanted, currentAuthority, options);
  const rootRotation = create(RootRotationSchema, {
    caCert: Buffer.from(wanted.pem),
    caKey: Buffer.from(wanted.keyPem ?? ''),
    crossSignedCaCert: Buffer.from(normalizePem(crossSigned)),
  });
  return { ...rootCa, rootRotation, lastForcedRotation: forceRotate };
}

/** The new root's certificate as the current one signs it: itself, or by its external authority. */
async function crossSignedBy(
  { caCert, caKey }: ClusterRoot,
  wanted: WantedRoot,
  authority: ExternalAddress | undefined,
  options: RootChangeOptions,
): Promise<string> {
  const { external, log } = options;
  const certificatePem = text(caCert);
  const isOutside = caKey.length === 0;
  if (isOutside && wanted.keyPem === undefined) {
    throw invalidArgument(
      'rotating from one external CA to a different external CA is not supported',
    );
  }
  try {
    if (!isOutside) {
      const current = new RootCa({ certificatePem, keyPem: text(caKey) }, options);
      return current.crossSign(wanted.pem);
    }
    if (!external || !authority || wanted.keyPem === undefined) throw new Error('nobody can sign');
    const fields = crossSigningFields(wanted.pem, wanted.keyPem);
    const signed = await external.sign(authority, fields);
    checkCrossSigned(signed, wanted.pem, certificatePem);
    return signed;
  } catch (error) {
    const message = 'unable to generate a cross-signed certificate for root rotation';
    log?.error({ error: errorMessage(error) }, message);
    throw new RpcError(Code.INTERNAL, message, { cause: error });
  }
}
