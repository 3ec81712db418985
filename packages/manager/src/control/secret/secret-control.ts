import { create } from '@bufbuild/protobuf';
import { newId } from '@skep/platform';
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
import { allNewest, findNewest, idsOf, shownAnnotations } from '../../versions/versions.js';
import type { ControlContext } from '../context.js';
import { invalidArgument, notFound, unimplemented } from '../errors.js';
import { matchesPayload } from '../filter.js';
import { SECRET_BYTES_LIMIT } from '../limits.js';
import { checkPayloadName } from '../names.js';
import { createPayload, removePayload, updatePayload } from '../payload/payloads.js';

type SecretControl = Pick<
  Control,
  'getSecret' | 'listSecrets' | 'createSecret' | 'updateSecret' | 'removeSecret'
>;

/** Secrets. Their data goes in and never comes back out of here. */
export function secretControl(context: ControlContext): SecretControl {
  const { store, random } = context;
  return {
    async getSecret({ secretId }) {
      if (!secretId) throw invalidArgument('secret ID must be provided');
      const secret = findNewest(store.view, 'secret', secretId);
      if (!secret) throw notFound('secret', secretId);
      return create(GetSecretResponseSchema, { secret: shown(secret) });
    },

    async listSecrets({ filters }) {
      const secrets = allNewest(store.view, 'secret')
        .filter((secret) => !secret.internal)
        .filter((secret) => matchesPayload(idsOf(secret), shownAnnotations(secret), filters))
        .map(shown);
      return create(ListSecretsResponseSchema, { secrets });
    },

    async createSecret({ spec }) {
      if (!spec) throw invalidArgument();
      checkSecretSpec(spec);
      const made = completeObject('secret', create(SecretSchema, { id: newId(random), spec }));
      const secret = await createPayload(store, 'secret', made);
      return create(CreateSecretResponseSchema, { secret: shown(secret) });
    },

    async updateSecret({ secretId, secretVersion: version, spec }) {
      if (!secretId || !version || !spec) throw invalidArgument();
      const update = { id: secretId, version, spec, check: checkSecretSpec };
      const secret = await updatePayload(context, 'secret', update);
      return create(UpdateSecretResponseSchema, { secret: shown(secret) });
    },

    async removeSecret({ secretId }) {
      if (!secretId) throw invalidArgument('secret ID must be provided');
      await removePayload(store, 'secret', secretId);
      return create(RemoveSecretResponseSchema);
    },
  };
}

function shown(secret: SecretObject): SecretObject {
  const annotations = shownAnnotations(secret);
  return { ...secret, spec: { ...secret.spec, annotations, data: new Uint8Array() } };
}

/** A secret has data of its own; drivers that would know it are plugins. */
export function checkSecretSpec(spec: SecretSpec): void {
  checkPayloadName(spec.annotations);
  if (spec.driver) {
    if (spec.driver.name === '') throw invalidArgument('secret driver must have a name');
    throw unimplemented(
      'secret drivers are plugins, which this engine does not run; create the secret with its data',
    );
  }
  if (spec.data.length === 0 || spec.data.length >= SECRET_BYTES_LIMIT) {
    throw invalidArgument(
      `secret data must be larger than 0 and less than ${SECRET_BYTES_LIMIT} bytes`,
    );
  }
}
