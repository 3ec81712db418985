import {
  type ClusterObject,
  type CompleteClusterSpec,
  completeClusterSpec,
  durationMs,
} from '@skep/wire';
import type { ClusterSpec } from '@skep/wire/swarmkit';
import { invalidArgument } from '../errors.js';
import { NODE_CERT_EXPIRY_MS_MIN } from '../limits.js';
import { checkExternalCas } from './external-cas.js';

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
  checkExternalCas(spec.caConfig, stored.spec.caConfig.externalCas);
}

/** Checks the spec of a swarm about to be made. Its root is made with it, so it names no other. */
export function checkNewClusterSpec(given: ClusterSpec): CompleteClusterSpec {
  const spec = checkClusterSpec(given);
  const { signingCaCert, signingCaKey } = spec.caConfig;
  if (signingCaCert.length > 0 || signingCaKey.length > 0) {
    throw invalidArgument(
      'a new swarm makes its own root CA: give it another one with "docker swarm ca --rotate"',
    );
  }
  checkExternalCas(spec.caConfig, []);
  return spec;
}
