import { create } from '@bufbuild/protobuf';
import {
  CreateConfigRequestSchema,
  CreateSecretRequestSchema,
  ListConfigsRequestSchema,
  ListSecretsRequestSchema,
  RemoveConfigRequestSchema,
  RemoveSecretRequestSchema,
  UpdateConfigRequestSchema,
  UpdateSecretRequestSchema,
} from '@skep/wire/swarmkit';
import { filters, type Query } from '../../server/query.js';
import type { Routes } from '../../server/server.js';
import {
  configSpecFromJson,
  configToJson,
  secretSpecFromJson,
  secretToJson,
} from '../convert/payloads.js';
import { JsonReader } from '../convert/reader.js';
import { findConfig, findSecret } from '../lookup.js';
import { type ById, manager, type SwarmDependencies } from './dependencies.js';
import { labelsOf, versionOf } from './query.js';

const FILTERS = ['names', 'name', 'id', 'label'];

function listFilters(query: unknown) {
  const wanted = filters(query as Query, FILTERS);
  return {
    names: wanted.names ?? [],
    namePrefixes: wanted.name ?? [],
    idPrefixes: wanted.id ?? [],
    labels: labelsOf(wanted.label),
  };
}

/** /secrets. */
export function secretRoutes(deps: SwarmDependencies): Routes {
  return (app) => {
    app.get('/secrets', async (request) => {
      const control = manager(deps);
      const listRequest = create(ListSecretsRequestSchema, { filters: listFilters(request.query) });
      return (await control.listSecrets(listRequest)).secrets.map(secretToJson);
    });
    app.post('/secrets/create', async (request, reply) => {
      const control = manager(deps);
      const spec = secretSpecFromJson(JsonReader.of(request.body, 'SecretSpec'));
      const { secret } = await control.createSecret(create(CreateSecretRequestSchema, { spec }));
      return reply.code(201).send({ ID: secret?.id ?? '' });
    });
    app.get('/secrets/:id', async (request: ById) =>
      secretToJson(await findSecret(manager(deps), request.params.id)),
    );
    app.delete('/secrets/:id', async (request: ById, reply) => {
      const control = manager(deps);
      const { id: secretId } = await findSecret(control, request.params.id);
      await control.removeSecret(create(RemoveSecretRequestSchema, { secretId }));
      return reply.code(204).send();
    });
    app.post('/secrets/:id/update', async (request: ById, reply) => {
      const secretVersion = versionOf(request.query as Query, () => 'invalid secret version');
      const control = manager(deps);
      const spec = secretSpecFromJson(JsonReader.of(request.body, 'SecretSpec'));
      const { id: secretId } = await findSecret(control, request.params.id);
      await control.updateSecret(
        create(UpdateSecretRequestSchema, { secretId, secretVersion, spec }),
      );
      return reply.code(200).send();
    });
  };
}

/** /configs. */
export function configRoutes(deps: SwarmDependencies): Routes {
  return (app) => {
    app.get('/configs', async (request) => {
      const control = manager(deps);
      const listRequest = create(ListConfigsRequestSchema, { filters: listFilters(request.query) });
      return (await control.listConfigs(listRequest)).configs.map(configToJson);
    });
    app.post('/configs/create', async (request, reply) => {
      const control = manager(deps);
      const spec = configSpecFromJson(JsonReader.of(request.body, 'ConfigSpec'));
      const { config } = await control.createConfig(create(CreateConfigRequestSchema, { spec }));
      return reply.code(201).send({ ID: config?.id ?? '' });
    });
    app.get('/configs/:id', async (request: ById) =>
      configToJson(await findConfig(manager(deps), request.params.id)),
    );
    app.delete('/configs/:id', async (request: ById, reply) => {
      const control = manager(deps);
      const { id: configId } = await findConfig(control, request.params.id);
      await control.removeConfig(create(RemoveConfigRequestSchema, { configId }));
      return reply.code(204).send();
    });
    app.post('/configs/:id/update', async (request: ById, reply) => {
      const configVersion = versionOf(request.query as Query, () => 'invalid config version');
      const control = manager(deps);
      const spec = configSpecFromJson(JsonReader.of(request.body, 'ConfigSpec'));
      const { id: configId } = await findConfig(control, request.params.id);
      await control.updateConfig(
        create(UpdateConfigRequestSchema, { configId, configVersion, spec }),
      );
      return reply.code(200).send();
    });
  };
}
