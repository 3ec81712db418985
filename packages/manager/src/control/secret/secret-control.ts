import { timingSafeEqual } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { newId } from '@skep/platform';
import { NameConflictError } from '@skep/store';
import { completeObject, type SecretObject } from '@skep/wire';
import {
  CreateSecretResponseSchema,
  GetSecretResponseSchema,
  ListSecretsResponseSchema,
  RemoveSecretResponseSchema,
  SecretSchema,
  type SecretSpec,
  UpdateSecretResponseSchema,
} from '@skep/wire/swarmkit';
import type { Control } from '../../contract.js';
import type { ControlContext } from '../context.js';
import { alreadyExists, invalidArgument, notFound } from '../errors.js';
import { matchesPayload } from '../filter.js';
import { SECRET_BYTES_LIMIT } from '../limits.js';
import { checkPayloadName } from '../names.js';
import { checkUnused } from '../service/users.js';

type SecretControl = Pick<
  Control,
  'getSecret' | 'listSecrets' | 'createSecret' | 'updateSecret' | 'removeSecret'
>;

/** Secrets. Their data goes in and never comes back out of here. */
export function secretControl({ store, random }: ControlContext): SecretControl {
  return {
    async getSecret({ secretId }) {
      if (!secretId) throw invalidArgument('secret ID must be provided');
      const secret = store.view.get('secret', secretId);
      if (!secret) throw notFound('secret', secretId);
      return create(GetSecretResponseSchema, { secret: withoutData(secret) });
    },

    async listSecrets({ filters }) {
      const secrets = [...store.view.all('secret')]
        .filter((secret) => !secret.internal)
        .filter((secret) => matchesPayload(secret, secret.spec.annotations, filters))
        .map(withoutData);
      return create(ListSecretsResponseSchema, { secrets });
    },

    async createSecret({ spec }) {
      if (!spec) throw invalidArgument();
      checkSecretSpec(spec);
      const made = completeObject('secret', create(SecretSchema, { id: newId(random), spec }));
      try {
        const secret = await store.update((tx) => tx.create('secret', made));
        return create(CreateSecretResponseSchema, { secret: withoutData(secret) });
      } catch (error) {
        if (!(error instanceof NameConflictError)) throw error;
        throw alreadyExists(`secret ${made.spec.annotations.name} already exists`);
      }
    },

    async updateSecret({ secretId, secretVersion: version, spec }) {
      if (!secretId || !version || !spec) throw invalidArgument();
      const secret = await store.update((tx) => {
        const stored = tx.get('secret', secretId);
        if (!stored) throw notFound('secret', secretId);
        return tx.update('secret', {
          ...stored,
          meta: { ...stored.meta, version },
          spec: relabelled(stored, spec),
        });
      });
      return create(UpdateSecretResponseSchema, { secret: withoutData(secret) });
    },

    async removeSecret({ secretId }) {
      if (!secretId) throw invalidArgument('secret ID must be provided');
      await store.update((tx) => {
        const secret = tx.get('secret', secretId);
        if (!secret) throw notFound('secret', secretId);
        checkUnused(tx, 'secret', secret);
        tx.remove('secret', secretId);
      });
      return create(RemoveSecretResponseSchema);
    },
  };
}

function withoutData(secret: SecretObject): SecretObject {
  return { ...secret, spec: { ...secret.spec, data: new Uint8Array() } };
}

/** A secret has data of its own, or a driver that knows it. */
export function checkSecretSpec(spec: SecretSpec): void {
  checkPayloadName(spec.annotations);
  if (spec.driver) {
    if (spec.driver.name === '') throw invalidArgument('secret driver must have a name');
    return;
  }
  if (spec.data.length === 0 || spec.data.length >= SECRET_BYTES_LIMIT) {
    throw invalidArgument(
      `secret data must be larger than 0 and less than ${SECRET_BYTES_LIMIT} bytes`,
    );
  }
}

function relabelled(stored: SecretObject, spec: SecretSpec): SecretObject['spec'] {
  const sameData =
    spec.data.length === 0 ||
    (spec.data.length === stored.spec.data.length && timingSafeEqual(spec.data, stored.spec.data));
  if (spec.annotations?.name !== stored.spec.annotations.name || !sameData) {
    throw invalidArgument('only updates to Labels are allowed');
  }
  const annotations = { ...stored.spec.annotations, labels: spec.annotations.labels };
  return { ...stored.spec, annotations };
}
