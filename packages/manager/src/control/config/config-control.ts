import { create } from '@bufbuild/protobuf';
import { newId } from '@skep/platform';
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
import { allNewest, findNewest, idsOf, shownAnnotations } from '../../versions/versions.js';
import type { ControlContext } from '../context.js';
import { invalidArgument, notFound } from '../errors.js';
import { matchesPayload } from '../filter.js';
import { CONFIG_BYTES_LIMIT } from '../limits.js';
import { checkPayloadName } from '../names.js';
import { createPayload, removePayload, updatePayload } from '../payload/payloads.js';

type ConfigControl = Pick<
  Control,
  'getConfig' | 'listConfigs' | 'createConfig' | 'updateConfig' | 'removeConfig'
>;

/** Configs: like secrets, but their data may be read back. */
export function configControl(context: ControlContext): ConfigControl {
  const { store, random } = context;
  return {
    async getConfig({ configId }) {
      if (!configId) throw invalidArgument('config ID must be provided');
      const config = findNewest(store.view, 'config', configId);
      if (!config) throw notFound('config', configId);
      return create(GetConfigResponseSchema, { config: shown(config) });
    },

    async listConfigs({ filters }) {
      const configs = allNewest(store.view, 'config')
        .filter((config) => matchesPayload(idsOf(config), shownAnnotations(config), filters))
        .map(shown);
      return create(ListConfigsResponseSchema, { configs });
    },

    async createConfig({ spec }) {
      if (!spec) throw invalidArgument();
      checkConfigSpec(spec);
      const made = completeObject('config', create(ConfigSchema, { id: newId(random), spec }));
      const config = await createPayload(store, 'config', made);
      return create(CreateConfigResponseSchema, { config: shown(config) });
    },

    async updateConfig({ configId, configVersion: version, spec }) {
      if (!configId || !version || !spec) throw invalidArgument();
      const update = { id: configId, version, spec, check: checkConfigSpec };
      const config = await updatePayload(context, 'config', update);
      return create(UpdateConfigResponseSchema, { config: shown(config) });
    },

    async removeConfig({ configId }) {
      if (!configId) throw invalidArgument('config ID must be provided');
      await removePayload(store, 'config', configId);
      return create(RemoveConfigResponseSchema);
    },
  };
}

function shown(config: ConfigObject): ConfigObject {
  return { ...config, spec: { ...config.spec, annotations: shownAnnotations(config) } };
}

export function checkConfigSpec(spec: ConfigSpec): void {
  checkPayloadName(spec.annotations);
  if (spec.data.length === 0 || spec.data.length >= CONFIG_BYTES_LIMIT) {
    throw invalidArgument(
      `config data must be larger than 0 and less than ${CONFIG_BYTES_LIMIT} bytes`,
    );
  }
}
