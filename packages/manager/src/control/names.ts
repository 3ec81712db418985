import type { Annotations } from '@skep/wire/swarmkit';
import { invalidArgument } from './errors.js';
import { PAYLOAD_NAME_LENGTH_MAX, SERVICE_NAME_LENGTH_MAX } from './limits.js';

// Docker's patterns, written so that no input makes them backtrack.
const DNS_NAME = /^[a-zA-Z0-9](?:[-_A-Za-z0-9]*[A-Za-z0-9])?$/;
const PAYLOAD_NAME = /^[a-zA-Z0-9](?:[-_.a-zA-Z0-9]*[a-zA-Z0-9])?$/;

/** The names of services and networks: part of a DNS name. */
export function checkName(annotations: Annotations | undefined): void {
  const name = annotations?.name ?? '';
  if (name === '') throw invalidArgument('meta: name must be provided');
  if (!DNS_NAME.test(name)) throw invalidArgument('name must be valid as a DNS name component');
  if (name.length > SERVICE_NAME_LENGTH_MAX) {
    throw invalidArgument('name must be 63 characters or fewer');
  }
}

/** The names of secrets and configs. */
export function checkPayloadName(annotations: Annotations | undefined): void {
  const name = annotations?.name ?? '';
  if (name === '') throw invalidArgument('name must be provided');
  if (name.length > PAYLOAD_NAME_LENGTH_MAX || !PAYLOAD_NAME.test(name)) {
    throw invalidArgument(
      'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character ' +
        'must be [a-zA-Z0-9]',
    );
  }
}
