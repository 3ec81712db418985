import { create } from '@bufbuild/protobuf';
import { Code } from '@skep/platform';
import { completeObject } from '@skep/wire';
import {
  CreateConfigRequestSchema,
  CreateSecretRequestSchema,
  CreateServiceRequestSchema,
  GetConfigRequestSchema,
  GetSecretRequestSchema,
  ListConfigsRequestSchema,
  ListSecretsRequestSchema,
  RemoveConfigRequestSchema,
  RemoveSecretRequestSchema,
  ReplicatedJobSchema,
  type Secret,
  type SecretSpecSchema,
  type Service,
  TaskSchema,
  TaskState,
  UpdateConfigRequestSchema,
  UpdateSecretRequestSchema,
  UpdateServiceRequest_Rollback,
  UpdateServiceRequestSchema,
  UpdateStatus_UpdateState as UpdateState,
  UpdateStatusSchema,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { rolledBack } from '../../updater/status.js';
import { VERSIONS_MAX } from '../../versions/limits.js';
import { type Fields, failure, SimControl, webSpec } from '../fixture.sim.js';

let sim: SimControl;
beforeEach(() => {
  sim = new SimControl();
});

const bytes = (text: string) => new TextEncoder().encode(text);
type SecretFields = Fields<typeof SecretSpecSchema>;

async function make(name: string, data = 'one'): Promise<Secret> {
  const spec = { annotations: { name }, data: bytes(data) };
  const { secret } = await sim.control.createSecret(create(CreateSecretRequestSchema, { spec }));
  return secret!;
}

async function read(secretId: string): Promise<Secret> {
  const request = create(GetSecretRequestSchema, { secretId });
  return (await sim.control.getSecret(request)).secret!;
}

async function list(filters: object = {}): Promise<Secret[]> {
  const request = create(ListSecretsRequestSchema, { filters });
  return (await sim.control.listSecrets(request)).secrets;
}

/** Updates what has this id as it is now; returns what it is afterwards. */
async function update(secretId: string, spec: SecretFields): Promise<Secret> {
  const { meta } = await read(secretId);
  const request = { secretId, secretVersion: meta!.version!, spec };
  await sim.control.updateSecret(create(UpdateSecretRequestSchema, request));
  return read(secretId);
}

const remove = (secretId: string) =>
  sim.control.removeSecret(create(RemoveSecretRequestSchema, { secretId }));

const renew = (secretId: string, data: string, name = 'key') =>
  update(secretId, { annotations: { name }, data: bytes(data) });

/** A service with secrets, by id and name. */
function using(serviceName: string, ...secrets: [id: string, name: string][]) {
  const references = secrets.map(([secretId, secretName]) => ({
    secretId,
    secretName,
    target: { case: 'file' as const, value: { name: secretName } },
  }));
  const value = { image: 'web:1', secrets: references };
  return webSpec({
    annotations: { name: serviceName },
    task: { runtime: { case: 'container', value } },
  });
}

async function makeService(spec: ReturnType<typeof using>): Promise<Service> {
  const request = create(CreateServiceRequestSchema, { spec });
  return (await sim.control.createService(request)).service!;
}

function stored(service: Service) {
  return sim.store.view.get('service', service.id)!;
}

function updateService(
  service: Service,
  spec: Service['spec'],
  { rollback = false, version = stored(service).meta.version } = {},
) {
  const request = { serviceId: service.id, serviceVersion: version, spec: spec! };
  const { PREVIOUS, NONE } = UpdateServiceRequest_Rollback;
  return sim.control.updateService(
    create(UpdateServiceRequestSchema, { ...request, rollback: rollback ? PREVIOUS : NONE }),
  );
}

function secretIds(spec: Service['spec']): string[] {
  const runtime = spec?.task?.runtime;
  return runtime?.case === 'container' ? runtime.value.secrets.map((one) => one.secretId) : [];
}

async function setStatus(service: Service, state: UpdateState): Promise<void> {
  await sim.store.update((tx) => {
    const now = tx.get('service', service.id)!;
    tx.update('service', { ...now, updateStatus: create(UpdateStatusSchema, { state }) });
  });
}

describe('an update of a secret', () => {
  it('with the data it has, or none, changes labels alone', async () => {
    const { id } = await make('key');
    const labels = { a: 'b' };
    const same = await update(id, { annotations: { name: 'key', labels }, data: bytes('one') });
    expect([same.id, same.spec?.annotations?.labels]).toEqual([id, labels]);
    const none = await update(id, { annotations: { name: 'key' } });
    expect([none.id, none.spec?.annotations?.labels]).toEqual([id, {}]);
    expect(sim.store.view.get('secret', id)?.spec.data).toEqual(bytes('one'));
  });

  it('with other data makes a version, which is the one that is shown', async () => {
    const { id } = await make('key');
    const labels = { a: 'b' };
    const next = await update(id, { annotations: { name: 'key', labels }, data: bytes('two') });
    expect(next.id).not.toBe(id);
    expect(next.spec?.annotations?.labels).toEqual({ a: 'b', 'skep.version': '2' });
    expect(next.spec?.data).toHaveLength(0);
    expect(sim.store.view.get('secret', next.id)?.spec.data).toEqual(bytes('two'));
    expect((await list()).map((one) => [one.id, one.spec?.annotations?.name])).toEqual([
      [next.id, 'key'],
    ]);
    expect(await list({ names: ['key'] })).toHaveLength(1);
    expect(await list({ names: ['key@2'] })).toEqual([]);
    expect(await list({ labels: { 'skep.version': '2' } })).toHaveLength(1);
    expect((await failure(make('key'))).message).toBe('secret key already exists');
  });

  it('stores no label of what was shown', async () => {
    const { id } = await make('key');
    const { spec } = await renew(id, 'two');
    const { id: second } = await update(id, { ...spec, data: bytes('two') } as SecretFields);
    const annotations = sim.store.view.get('secret', second)?.spec.annotations;
    expect(annotations).toMatchObject({ name: 'key@2', labels: {} });
    const made = create(CreateSecretRequestSchema, {
      spec: { annotations: { name: 'x', labels: { 'skep.version': '1' } }, data: bytes('x') },
    });
    expect((await failure(sim.control.createSecret(made))).code).toBe(Code.INVALID_ARGUMENT);
  });

  it('lets all former ids lead to it', async () => {
    const { id } = await make('key');
    const second = await renew(id, 'two');
    const third = await renew(second.id, 'three');
    await sim.store.update((tx) => tx.remove('secret', id));
    for (const former of [id, second.id, third.id]) expect((await read(former)).id).toBe(third.id);
    expect((await list({ idPrefixes: [id.slice(0, 8)] }))[0]?.id).toBe(third.id);
  });

  it('is refused when it is stale, renames, is too large, or asks for a driver', async () => {
    const { id, meta } = await make('key');
    const given = (changes: object) =>
      create(UpdateSecretRequestSchema, {
        secretId: id,
        secretVersion: meta!.version!,
        spec: { annotations: { name: 'key' }, data: bytes('two'), ...changes },
      });
    const refusal = async (changes: object) =>
      (await failure(sim.control.updateSecret(given(changes)))).message;
    const labelsOnly = 'only updates to Labels are allowed';
    expect(await refusal({ annotations: { name: 'other' } })).toBe(labelsOnly);
    expect(await refusal({ driver: { name: 'vault' } })).toBe(labelsOnly);
    expect(await refusal({ data: new Uint8Array(512_000) })).toBe(
      'secret data must be larger than 0 and less than 512000 bytes',
    );
    await sim.control.updateSecret(given({}));
    expect(await refusal({ data: bytes('three') })).toBe('update out of sequence');
    const missing = { ...given({}), secretId: 'none' };
    expect((await failure(sim.control.updateSecret(missing))).code).toBe(Code.NOT_FOUND);
  });

  it('makes a version when only what it is a template of changes', async () => {
    const { id } = await make('key');
    const annotations = { name: 'key' };
    const templating = { name: 'golang' };
    const next = await update(id, { annotations, data: bytes('one'), templating });
    expect(next.id).not.toBe(id);
    const kept = await update(id, { annotations });
    expect([kept.id, kept.spec?.templating?.name]).toEqual([next.id, 'golang']);
  });

  it('gives services the new version, as an update that can be rolled back', async () => {
    const { id } = await make('key');
    const { id: other } = await make('other');
    const web = await makeService(using('web', [id, 'key'], [other, 'other']));
    const idle = await makeService(using('idle', [other, 'other']));
    const next = await renew(id, 'two');
    expect(secretIds(stored(web).spec)).toEqual([next.id, other]);
    expect(secretIds(stored(web).previousSpec)).toEqual([id, other]);
    expect(stored(web).specVersion?.index).toBe(web.meta?.version?.index);
    expect(stored(idle).meta.version).toEqual(idle.meta?.version);
    await updateService(web, stored(web).spec, { rollback: true });
    expect(secretIds(stored(web).spec)).toEqual([id, other]);
  });

  it('finds services on any earlier version', async () => {
    const { id } = await make('key');
    const web = await makeService(using('web', [id, 'key']));
    await renew(id, 'two');
    await updateService(web, stored(web).spec, { rollback: true });
    const third = await renew(id, 'three');
    expect(secretIds(stored(web).spec)).toEqual([third.id]);
  });

  it('lets a job have it without running again', async () => {
    const { id } = await make('key');
    const job = using('job', [id, 'key']);
    job.mode = { case: 'replicatedJob', value: create(ReplicatedJobSchema) };
    const made = await makeService(job);
    const next = await renew(id, 'two');
    expect(secretIds(stored(made).spec)).toEqual([next.id]);
    expect(stored(made).jobStatus).toEqual(made.jobStatus);
  });

  it('reaches more services than one entry can hold', async () => {
    const { id } = await make('key');
    const labels = { filler: 'x'.repeat(20_000) };
    const services: Service[] = [];
    for (let at = 0; at < 60; at++) {
      const spec = using(`s${at}`, [id, 'key']);
      services.push(await makeService({ ...spec, annotations: { ...spec.annotations!, labels } }));
    }
    const next = await renew(id, 'two');
    expect(services.every((one) => secretIds(stored(one).spec)[0] === next.id)).toBe(true);
    expect(sim.store.view.get('secret', next.id)?.spec.annotations.indices).toMatchObject([
      { key: 'skep.former', val: id },
    ]);
  });

  it('is refused while too many versions are in use', async () => {
    const { id } = await make('key');
    const task = (at: number, secretId: string) =>
      sim.put('task', {
        id: `t${at}`,
        status: { state: TaskState.RUNNING },
        spec: { runtime: { case: 'container', value: { secrets: [{ secretId }] } } },
      });
    await task(0, id);
    for (let at = 1; at < VERSIONS_MAX; at++) await task(at, (await renew(id, `data ${at}`)).id);
    expect((await failure(renew(id, 'more'))).message).toMatch(
      /^32 versions of secret 'key' are in use/,
    );
    await sim.store.update((tx) => tx.remove('task', 't3'));
    await renew(id, 'more');
  });
});

describe('a service with secrets', () => {
  it('has the newest version, by whatever id it asks', async () => {
    const { id } = await make('key');
    const next = await renew(id, 'two');
    const web = await makeService(using('web', [id, 'key']));
    expect(secretIds(web.spec)).toEqual([next.id]);
    await sim.store.update((tx) => tx.remove('secret', id));
    await updateService(web, using('web', [id, 'key']));
    expect(secretIds(stored(web).spec)).toEqual([next.id]);
    const error = await failure(updateService(web, using('web', [id, 'wrong'])));
    expect(error.message).toBe('secret not found: wrong');
  });

  it('stays where a rollback put it until it is told otherwise', async () => {
    const { id } = await make('key');
    const web = await makeService(using('web', [id, 'key']));
    const next = await renew(id, 'two');
    await updateService(web, stored(web).spec, { rollback: true });
    const spec = stored(web).spec;
    await updateService(web, { ...spec, annotations: { ...spec.annotations, labels: { a: 'b' } } });
    expect(secretIds(stored(web).spec)).toEqual([id]);
    await updateService(web, using('web', [next.id, 'key']));
    expect(secretIds(stored(web).spec)).toEqual([next.id]);
  });

  it('returns to before the deployment whose secrets came first', async () => {
    const { id } = await make('key');
    const { id: other } = await make('other');
    const before = using('web', [id, 'key'], [other, 'other']);
    const web = await makeService(before);
    const key = await renew(id, 'two');
    await setStatus(web, UpdateState.UPDATING);
    const second = await renew(other, 'two', 'other');
    const image = using('web', [key.id, 'key'], [second.id, 'other']);
    if (image.task?.runtime.case === 'container') image.task.runtime.value.image = 'web:2';
    await updateService(web, image);
    expect(secretIds(stored(web).previousSpec)).toEqual([id, other]);
    await updateService(web, image);
    await updateService(web, image, { rollback: true });
    expect(stored(web).spec).toEqual(before);
  });

  it('returns to the last state once its secrets have arrived', async () => {
    const { id } = await make('key');
    const web = await makeService(using('web', [id, 'key']));
    const next = await renew(id, 'two');
    await setStatus(web, UpdateState.COMPLETED);
    await updateService(web, using('web'));
    expect(secretIds(stored(web).previousSpec)).toEqual([next.id]);
  });

  it('may be updated by who knows its spec, if not its status, and by nobody else', async () => {
    const { id } = await make('key');
    const web = await makeService(using('web', [id, 'key']));
    const before = stored(web).meta.version;
    await renew(id, 'two');
    const version = stored(web).meta.version;
    await setStatus(web, UpdateState.UPDATING);
    const spec = using('web');
    const stale = await failure(updateService(web, spec, { version: before }));
    expect(stale.message).toBe('update out of sequence');
    await updateService(web, spec, { version });
    expect(secretIds(stored(web).spec)).toEqual([]);
    await setStatus(web, UpdateState.ROLLBACK_STARTED);
    expect((await failure(updateService(web, spec, { version }))).message).toBe(
      'update out of sequence',
    );
  });

  it('may be updated in a deployment that another part of was rolled back meanwhile', async () => {
    const { id } = await make('key');
    const web = await makeService(using('web', [id, 'key']));
    const before = stored(web).meta.version;
    await renew(id, 'two');
    const version = stored(web).meta.version;
    await sim.store.update((tx) => {
      const failed = completeObject('task', create(TaskSchema, { id: 't1' }));
      tx.update('service', rolledBack(tx.get('service', web.id)!, failed));
    });
    expect(secretIds(stored(web).spec)).toEqual([id]);
    const stale = await failure(updateService(web, using('web'), { version: before }));
    expect(stale.message).toBe('update out of sequence');
    await updateService(web, using('web'), { version });
    expect(secretIds(stored(web).previousSpec)).toEqual([id]);
  });

  it('is not rolled back to a secret that is gone', async () => {
    const { id } = await make('key');
    const web = await makeService(using('web', [id, 'key']));
    await updateService(web, using('web'));
    await remove(id);
    const error = await failure(updateService(web, stored(web).spec, { rollback: true }));
    expect(error.message).toBe('secret not found: key');
  });
});

describe('removing a secret', () => {
  it('takes all its versions, and is refused while a service has one of them', async () => {
    const { id } = await make('key');
    const web = await makeService(using('web', [id, 'key']));
    await renew(id, 'two');
    await updateService(web, stored(web).spec, { rollback: true });
    const inUse = "secret 'key' is in use by the following service: web";
    expect((await failure(remove(id))).message).toBe(inUse);
    const also = await makeService(using('also', [id, 'key']));
    expect((await failure(remove(id))).message).toMatch(/services: (web, also|also, web)$/);
    for (const one of [web, also]) await updateService(one, using(one.spec!.annotations!.name));
    await remove(id);
    expect(sim.store.view.count('secret')).toBe(0);
    await make('key');
  });
});

describe('configs', () => {
  it('have versions too, up to the largest', async () => {
    const annotations = { name: 'conf' };
    const largest = (fill: number) => new Uint8Array(1_023_999).fill(fill);
    const spec = { annotations, data: largest(1) };
    const { config } = await sim.control.createConfig(create(CreateConfigRequestSchema, { spec }));
    const configId = config!.id;
    await sim.control.updateConfig(
      create(UpdateConfigRequestSchema, {
        configId,
        configVersion: config!.meta!.version!,
        spec: { annotations, data: largest(2) },
      }),
    );
    const get = create(GetConfigRequestSchema, { configId });
    const { config: next } = await sim.control.getConfig(get);
    expect(next?.spec?.data[0]).toBe(2);
    const all = await sim.control.listConfigs(create(ListConfigsRequestSchema));
    expect(all.configs.map(({ id }) => id)).toEqual([next!.id]);
    await sim.control.removeConfig(create(RemoveConfigRequestSchema, { configId }));
    expect(sim.store.view.count('config')).toBe(0);
  });
});
