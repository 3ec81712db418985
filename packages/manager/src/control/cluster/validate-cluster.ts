import {
  type ClusterObject,
  type CompleteClusterSpec,
  completeClusterSpec,
  durationMs,
} from '@skep/wire';
import type { ClusterSpec } from '@skep/wire/swarmkit';
import { invalidArgument, unimplemented } from '../errors.js';
import { NODE_CERT_EXPIRY_MS_MIN } from '../limits.js';

/** Checks a cluster's spec by itself; throws Docker's text (features.md 2.5). */
export function checkClusterSpec(given: ClusterSpec | undefined): CompleteClusterSpec {
  if (!given) throw invalidArgument();
  const spec = completeClusterSpec(given);
  const { nodeCertExpiry } = spec.caConfig;
  if (nodeCertExpiry && durationMs(nodeCertExpiry) < NODE_CERT_EXPIRY_MS_MIN) {
    throw invalidArgument('minimum certificate expiry time is: 1h0m0s');
  }
  for (const { secret } of spec.acceptancePolicy.policies) {
    if (secret && secret.alg.toLowerCase() !== 'bcrypt') {
      throw invalidArgument(`hashing algorithm is not supported: ${secret.alg}`);
    }
  }
  if (durationMs(spec.dispatcher.heartbeatPeriod) < 0) {
    throw invalidArgument('heartbeat time period cannot be a negative duration');
  }
  return spec;
}

/** Checks what a new spec changes about a cluster. */
export function checkClusterChange(stored: ClusterObject, spec: CompleteClusterSpec): void {
  if (spec.annotations.name !== stored.spec.annotations.name) {
    throw invalidArgument('modification of cluster name is not allowed');
  }
  checkSupported(spec, stored.spec.caConfig.forceRotate);
}

/** Checks the spec of a swarm about to be made. */
export function checkNewClusterSpec(given: ClusterSpec): CompleteClusterSpec {
  const spec = checkClusterSpec(given);
  checkSupported(spec, 0n);
  return spec;
}

function checkSupported(
  { caConfig, encryptionConfig }: CompleteClusterSpec,
  rotations: bigint,
): void {
  const { signingCaCert, signingCaKey, forceRotate, externalCas } = caConfig;
  if (signingCaKey.length > 0 && signingCaCert.length === 0) {
    throw invalidArgument(
      'if a signing CA key is provided, the signing CA cert must also be provided',
    );
  }
  const rotates = signingCaCert.length > 0 || forceRotate !== rotations;
  if (rotates) throw unimplemented('rotating the root CA is not available in this version');
  if (externalCas.length > 0) {
    throw unimplemented('external certificate authorities are not available in this version');
  }
  if (encryptionConfig.autoLockManagers) {
    throw unimplemented('locking managers is not available in this version');
  }
}
