import { create } from '@bufbuild/protobuf';
import { Code } from '@skep/platform';
import { durationMs } from '@skep/wire';
import {
  CreateServiceRequestSchema,
  GetServiceRequestSchema,
  ListServiceStatusesRequestSchema,
  ListServicesRequestSchema,
  NetworkAttachmentConfigSchema,
  PortConfig_PublishMode,
  RemoveServiceRequestSchema,
  type Service,
  type ServiceSpec,
  TaskState,
  UpdateServiceRequest_Rollback,
  UpdateServiceRequestSchema,
  UpdateStatus_UpdateState,
  VersionSchema,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { failure, SimControl, webSpec } from '../fixture.sim.js';

let sim: SimControl;
beforeEach(() => {
  sim = new SimControl();
});

async function createService(spec: ServiceSpec): Promise<Service> {
  const request = create(CreateServiceRequestSchema, { spec });
  return (await sim.control.createService(request)).service!;
}

function update(service: Service, spec: ServiceSpec, rollback = false) {
  const request = create(UpdateServiceRequestSchema, {
    serviceId: service.id,
    serviceVersion: create(VersionSchema, { index: service.meta!.version!.index }),
    spec,
    rollback: rollback
      ? UpdateServiceRequest_Rollback.PREVIOUS
      : UpdateServiceRequest_Rollback.NONE,
  });
  return sim.control.updateService(request);
}

const published = (publishedPort: number, publishMode: PortConfig_PublishMode) => ({
  endpoint: { ports: [{ publishedPort, targetPort: 80, publishMode }] },
});
const { INGRESS, HOST } = PortConfig_PublishMode;

describe('services', () => {
  it('keeps what was asked for and nothing more', async () => {
    const made = await createService(webSpec());
    const { service } = await sim.control.getService(
      create(GetServiceRequestSchema, { serviceId: made.id }),
    );
    expect(service?.spec?.update).toBeUndefined();
    expect(service?.specVersion?.index).toBe(0n);
    const { service: shown } = await sim.control.getService(
      create(GetServiceRequestSchema, { serviceId: made.id, insertDefaults: true }),
    );
    expect(shown?.spec?.update?.parallelism).toBe(1n);
    expect(durationMs(shown?.spec?.task?.restart?.delay)).toBe(5_000);
    expect(sim.store.view.get('service', made.id)?.spec.update).toBeUndefined();
  });

  it('refuses a taken name with both texts', async () => {
    await createService(webSpec());
    const error = await failure(createService(webSpec()));
    expect(error.code).toBe(Code.ALREADY_EXISTS);
    expect(error.message).toBe(
      'name conflicts with an existing object: service web already exists',
    );
  });

  it('remembers the previous spec, clears the update status and refuses stale versions', async () => {
    const made = await createService(webSpec());
    const next = webSpec({ mode: { case: 'replicated', value: { replicas: 5n } } });
    const { service } = await update(made, next);
    expect(service?.previousSpec?.mode.value).toMatchObject({ replicas: 2n });
    expect(service?.specVersion?.index).toBe(made.meta?.version?.index);
    expect(service?.updateStatus).toBeUndefined();
    const stale = await failure(update(made, next));
    expect(stale.message).toBe('update out of sequence');
    expect(stale.code).toBe(Code.UNKNOWN);
  });

  it('is updated by who knows its spec, whatever the swarm has written to it since', async () => {
    const replicas = (count: bigint) =>
      webSpec({ mode: { case: 'replicated', value: { replicas: count } } });
    const made = await createService(webSpec());
    const touch = () => sim.store.update((tx) => tx.update('service', tx.get('service', made.id)!));
    await touch();
    const touched = (await touch()) as Service;
    const second = (await update(touched, replicas(5n))).service!;
    await touch();
    const third = (await update(second, replicas(6n))).service!;
    expect((await failure(update(second, replicas(7n)))).message).toBe('update out of sequence');
    await update(third, webSpec(), true);
    expect((await failure(update(third, replicas(8n)))).message).toBe('update out of sequence');
    // A job that is rolled back has no status that tells.
    await sim.store.update((tx) => {
      tx.update('service', { ...tx.get('service', made.id)!, updateStatus: undefined });
    });
    expect((await failure(update(third, replicas(8n)))).message).toBe('update out of sequence');
  });

  it('exchanges the specs on rollback, twice returning to the newest', async () => {
    const made = await createService(webSpec());
    const none = await failure(update(made, webSpec(), true));
    expect(none.message).toBe(`service ${made.id} does not have a previous spec`);
    const changed = (
      await update(made, webSpec({ mode: { case: 'replicated', value: { replicas: 5n } } }))
    ).service!;
    const back = (await update(changed, webSpec(), true)).service!;
    expect(back.spec?.mode.value).toMatchObject({ replicas: 2n });
    expect(back.specVersion?.index).toBe(0n);
    expect(back.updateStatus).toMatchObject({
      state: UpdateStatus_UpdateState.ROLLBACK_STARTED,
      message: 'manually requested rollback',
    });
    const again = (await update(back, webSpec(), true)).service!;
    expect(again.spec?.mode.value).toMatchObject({ replicas: 5n });
    expect(again.specVersion?.index).toBe(changed.specVersion?.index);
  });

  it('refuses to change mode, name and deprecated networks', async () => {
    const made = await createService(webSpec());
    const texts = await Promise.all(
      [
        webSpec({ mode: { case: 'global', value: {} } }),
        webSpec({ annotations: { name: 'other' } }),
        webSpec({ networks: [{ target: 'n' }] }),
      ].map(async (spec) => (await failure(update(made, spec))).message),
    );
    expect(texts).toEqual([
      'service mode change is not allowed',
      'renaming services is not supported',
      'networks must be migrated to TaskSpec before being changed',
    ]);
  });

  it('gives an ingress port to one service, and lets host ports meet', async () => {
    await sim.put('network', { id: 'in', spec: { annotations: { name: 'in' }, ingress: true } });
    const first = await createService(webSpec(published(80, INGRESS)));
    const other = (name: string, port: number, mode: PortConfig_PublishMode) =>
      webSpec({ annotations: { name }, ...published(port, mode) });
    const texts = await Promise.all(
      [other('b', 80, INGRESS), other('c', 80, HOST)].map(
        async (spec) => (await failure(createService(spec))).message,
      ),
    );
    const taken = `port '80' is already in use by service 'web' (${first.id}) as an ingress port`;
    expect(texts).toEqual([taken, taken]);
    const host = await createService(other('d', 81, HOST));
    await createService(other('e', 81, HOST));
    const error = await failure(createService(other('f', 81, INGRESS)));
    expect(error.message).toBe(
      `port '81' is already in use by service 'd' (${host.id}) as a host-published port`,
    );
    await update(first, webSpec(published(80, INGRESS)));
  });

  it('is on a network once, and may be moved to others', async () => {
    await sim.put('network', { id: 'n1', spec: { annotations: { name: 'one' } } });
    const on = (...targets: string[]) => {
      const spec = webSpec();
      spec.task!.networks = targets.map((target) =>
        create(NetworkAttachmentConfigSchema, { target }),
      );
      return spec;
    };
    expect((await failure(createService(on('n1', 'n1')))).message).toBe(
      'network one is given more than once',
    );
    const service = await createService(on('n1'));
    const moved = await update(service, on('n2', 'n1'));
    expect(moved.service?.spec?.task?.networks.map(({ target }) => target)).toEqual(['n2', 'n1']);
  });

  it('wants the ingress network to be there, and not to be named', async () => {
    const absent = await failure(createService(webSpec(published(80, INGRESS))));
    expect(absent).toMatchObject({
      code: Code.FAILED_PRECONDITION,
      message: 'service needs ingress network, but no ingress network is present',
    });
    await sim.put('network', { id: 'in', spec: { annotations: { name: 'ing' }, ingress: true } });
    const spec = webSpec();
    spec.task!.networks.push(create(NetworkAttachmentConfigSchema, { target: 'in' }));
    const named = await failure(createService(spec));
    expect(named.message).toBe(
      'Service cannot be explicitly attached to the ingress network "ing"',
    );
  });

  it('wants references to name what they point at', async () => {
    await sim.put('secret', { id: 's1', spec: { annotations: { name: 'one' } } });
    const reference = (secretId: string, secretName: string) => ({
      secretId,
      secretName,
      target: { case: 'file', value: { name: secretName } } as const,
    });
    const spec = (...secrets: ReturnType<typeof reference>[]) =>
      webSpec({ task: { runtime: { case: 'container', value: { image: 'a', secrets } } } });
    const wrong = await failure(createService(spec(reference('s1', 'two'))));
    expect(wrong.message).toBe('secret not found: two');
    const both = await failure(createService(spec(reference('x', 'x'), reference('y', 'y'))));
    expect(both.message).toBe('secrets not found: x, y');
    await createService(spec(reference('s1', 'one')));
  });

  it('lists by name, prefix, id prefix and labels together', async () => {
    await createService(webSpec({ annotations: { name: 'web', labels: { tier: 'front' } } }));
    await createService(webSpec({ annotations: { name: 'webapp', labels: { tier: 'back' } } }));
    const names = async (filters: object) => {
      const request = create(ListServicesRequestSchema, { filters });
      const { services } = await sim.control.listServices(request);
      return services.map((service) => service.spec?.annotations?.name);
    };
    expect(await names({ namePrefixes: ['web'] })).toEqual(['web', 'webapp']);
    expect(await names({ names: ['web'] })).toEqual(['web']);
    expect(await names({ namePrefixes: ['web'], labels: { tier: 'back' } })).toEqual(['webapp']);
    expect(await names({ labels: { tier: '' } })).toHaveLength(2);
    expect(await names({ runtimes: ['plugin'] })).toEqual([]);
    expect(await names({ idPrefixes: ['-'] })).toEqual([]);
  });

  it('counts tasks, and gives zeros for a service that is gone', async () => {
    const made = await createService(webSpec());
    const running = { state: TaskState.RUNNING };
    await sim.put('task', { id: 't1', serviceId: made.id, slot: 1n, status: running });
    await sim.put('task', { id: 't2', serviceId: made.id, slot: 2n });
    const count = async (id: string) => {
      const request = create(ListServiceStatusesRequestSchema, { services: [id] });
      return (await sim.control.listServiceStatuses(request)).statuses[0];
    };
    expect(await count(made.id)).toMatchObject({ desiredTasks: 2n, runningTasks: 1n });
    const remove = create(RemoveServiceRequestSchema, { serviceId: made.id });
    await sim.control.removeService(remove);
    expect(await count(made.id)).toMatchObject({ desiredTasks: 0n, runningTasks: 0n });
    const gone = await failure(sim.control.removeService(remove));
    expect(gone).toMatchObject({
      code: Code.NOT_FOUND,
      message: `service ${made.id} not found`,
    });
  });
});
