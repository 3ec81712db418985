import { create } from '@bufbuild/protobuf';
import { newId } from '@skep/platform';
import { NameConflictError } from '@skep/store';
import { type ConfigObject, completeObject } from '@skep/wire';
import {
  ConfigSchema,
  type ConfigSpec,
  CreateConfigResponseSchema,
  GetConfigResponseSchema,
  ListConfigsResponseSchema,
  RemoveConfigResponseSchema,
  UpdateConfigResponseSchema,
} from '@skep/wire/swarmkit';
import type { Control } from '../../contract.js';
import type { ControlContext } from '../context.js';
import { alreadyExists, invalidArgument, notFound } from '../errors.js';
import { matchesPayload } from '../filter.js';
import { CONFIG_BYTES_LIMIT } from '../limits.js';
import { checkPayloadName } from '../names.js';
import { checkUnused } from '../service/users.js';

type ConfigControl = Pick<
  Control,
  'getConfig' | 'listConfigs' | 'createConfig' | 'updateConfig' | 'removeConfig'
>;

/** Configs: like secrets, but their data may be read back. */
export function configControl({ store, random }: ControlContext): ConfigControl {
  return {
    async getConfig({ configId }) {
      if (!configId) throw invalidArgument('config ID must be provided');
      const config = store.view.get('config', configId);
      if (!config) throw notFound('config', configId);
      return create(GetConfigResponseSchema, { config });
    },

    async listConfigs({ filters }) {
      const configs = [...store.view.all('config')].filter((config) =>
        matchesPayload(config, config.spec.annotations, filters),
      );
      return create(ListConfigsResponseSchema, { configs });
    },

    async createConfig({ spec }) {
      if (!spec) throw invalidArgument();
      checkConfigSpec(spec);
      const made = completeObject('config', create(ConfigSchema, { id: newId(random), spec }));
      try {
        const config = await store.update((tx) => tx.create('config', made));
        return create(CreateConfigResponseSchema, { config });
      } catch (error) {
        if (!(error instanceof NameConflictError)) throw error;
        throw alreadyExists(`config ${made.spec.annotations.name} already exists`);
      }
    },

    async updateConfig({ configId, configVersion: version, spec }) {
      if (!configId || !version || !spec) throw invalidArgument();
      const config = await store.update((tx) => {
        const stored = tx.get('config', configId);
        if (!stored) throw notFound('config', configId);
        return tx.update('config', {
          ...stored,
          meta: { ...stored.meta, version },
          spec: relabelled(stored, spec),
        });
      });
      return create(UpdateConfigResponseSchema, { config });
    },

    async removeConfig({ configId }) {
      if (!configId) throw invalidArgument('config ID must be provided');
      await store.update((tx) => {
        const config = tx.get('config', configId);
        if (!config) throw notFound('config', configId);
        checkUnused(tx, 'config', config);
        tx.remove('config', configId);
      });
      return create(RemoveConfigResponseSchema);
    },
  };
}

export function checkConfigSpec(spec: ConfigSpec): void {
  checkPayloadName(spec.annotations);
  if (spec.data.length === 0 || spec.data.length >= CONFIG_BYTES_LIMIT) {
    throw invalidArgument(
      `config data must be larger than 0 and less than ${CONFIG_BYTES_LIMIT} bytes`,
    );
  }
}

function relabelled(stored: ConfigObject, spec: ConfigSpec): ConfigObject['spec'] {
  const sameData = spec.data.length === 0 || Buffer.compare(spec.data, stored.spec.data) === 0;
  if (spec.annotations?.name !== stored.spec.annotations.name || !sameData) {
    throw invalidArgument('only updates to Labels are allowed');
  }
  const annotations = { ...stored.spec.annotations, labels: spec.annotations.labels };
  return { ...stored.spec, annotations };
}
