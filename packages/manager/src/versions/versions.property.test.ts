import { create } from '@bufbuild/protobuf';
import { SimRandom, settle, silentLogger } from '@skep/platform';
import { durationFromMs } from '@skep/wire';
import {
  CreateConfigRequestSchema,
  CreateServiceRequestSchema,
  UpdateConfig_FailureAction as FailureAction,
  GetConfigRequestSchema,
  RemoveServiceRequestSchema,
  RestartPolicy_RestartCondition,
  type ServiceSpec,
  TaskState,
  UpdateConfigRequestSchema,
  UpdateServiceRequest_Rollback,
  UpdateServiceRequestSchema,
} from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Control } from '../contract.js';
import { createControl } from '../control/control.js';
import { webSpec } from '../control/fixture.sim.js';
import { SimSwarm } from '../orchestrator/swarm.sim.js';
import { VersionKeeper } from './keeper.js';
import { isNeeded } from './needed.js';
import { dependenciesOf } from './references.js';
import { allNewest, findNewest, newestOf, numberOf } from './versions.js';

const NAMES = ['a', 'b'];
const SERVICES = ['s1', 's2', 's3'];

const deed = fc.record({
  action: fc.constantFrom('renew', 'use', 'rollback', 'scale', 'drop', 'leader', 'pass', 'spoil'),
  service: fc.constantFrom(...SERVICES),
  names: fc.subarray(NAMES),
  name: fc.constantFrom(...NAMES),
  number: fc.integer({ min: 1, max: 3 }),
});

type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never;

/** A swarm whose services use configs that are renewed all the time. */
class Scene {
  readonly swarm = new SimSwarm();
  readonly control: Control;
  readonly #firstIds = new Map<string, string>();
  #keeper = this.#newKeeper();
  #renewals = 0;
  /** While it is set, tasks of the newest versions fail. */
  #spoilt = false;

  constructor() {
    const { store, clock } = this.swarm;
    const random = new SimRandom(5);
    const members = { list: () => [], canRemove: () => false };
    this.control = createControl({ store, clock, random, members, newJoinToken: () => '' });
    this.swarm.fate = () => (this.#spoilt ? TaskState.FAILED : TaskState.RUNNING);
  }

  get view() {
    return this.swarm.store.view;
  }

  async begin(): Promise<void> {
    await this.swarm.addNodes('n1', 'n2');
    this.swarm.startLoops();
    this.#keeper.start();
    for (const name of NAMES) {
      const spec = { annotations: { name }, data: Buffer.from('0') };
      const request = create(CreateConfigRequestSchema, { spec });
      const { config } = await this.control.createConfig(request);
      this.#firstIds.set(name, config?.id ?? '');
    }
  }

  async end(): Promise<void> {
    await this.swarm.stopLoops();
    await this.#keeper.stop();
  }

  async perform(one: Deed): Promise<void> {
    if (one.action === 'renew') await this.renew(one.name);
    else if (one.action === 'leader') await this.#changeLeader();
    else if (one.action === 'spoil') this.#spoilt = !this.#spoilt;
    else if (one.action === 'pass') await this.swarm.run(one.number * 1_000, () => this.check());
    else await this.#changeService(one);
    await settle();
  }

  /** Lets everything come to its end. */
  async finish(): Promise<void> {
    this.#spoilt = false;
    for (const name of NAMES) await this.renew(name);
    await this.swarm.run(60_000, () => this.check());
  }

  /** By its first id, as somebody would who wrote that down. */
  async renew(name: string): Promise<void> {
    const configId = this.#firstIds.get(name) ?? '';
    const { config } = await this.control.getConfig(create(GetConfigRequestSchema, { configId }));
    const spec = { annotations: { name }, data: Buffer.from(String(++this.#renewals)) };
    const configVersion = config!.meta!.version!;
    const request = create(UpdateConfigRequestSchema, { configId, configVersion, spec });
    await this.control.updateConfig(request);
    const newest = newestOf(this.view, 'config', name);
    for (const { spec: current } of this.view.all('service')) {
      for (const { configId: id, configName } of configsOf(current)) {
        if (configName === name) expect(id).toBe(newest?.id);
      }
    }
  }

  /** What holds at any time. */
  check(): void {
    const needs = [...this.view.all('service')].flatMap(({ spec, previousSpec }) =>
      previousSpec ? [spec.task, previousSpec.task] : [spec.task],
    );
    for (const { spec, status } of this.view.all('task')) {
      if (status.state <= TaskState.RUNNING) needs.push(spec);
    }
    for (const key of needs.flatMap((spec) => [...dependenciesOf(spec)])) {
      expect(this.view.get('config', key.slice('config/'.length)), key).toBeDefined();
    }
    for (const [name, id] of this.#firstIds) {
      expect(findNewest(this.view, 'config', id)).toBe(newestOf(this.view, 'config', name));
    }
  }

  async #changeService({ action, service, names, number }: Deed): Promise<void> {
    const stored = this.view.named('service', service);
    if (!stored) {
      const request = create(CreateServiceRequestSchema, { spec: this.#spec(service, names, 2) });
      if (action === 'use') await this.control.createService(request);
      return;
    }
    const { id: serviceId, meta, spec } = stored;
    if (action === 'drop') {
      await this.control.removeService(create(RemoveServiceRequestSchema, { serviceId }));
      return;
    }
    if (action === 'rollback' && !stored.previousSpec) return;
    const scaled: ServiceSpec = { ...spec, mode: this.#spec(service, [], number).mode };
    const request = create(UpdateServiceRequestSchema, {
      serviceId,
      serviceVersion: meta.version,
      spec: { use: this.#spec(service, names, number), rollback: spec, scale: scaled }[
        action as 'use'
      ],
      rollback:
        action === 'rollback'
          ? UpdateServiceRequest_Rollback.PREVIOUS
          : UpdateServiceRequest_Rollback.NONE,
    });
    await this.control.updateService(request);
  }

  #spec(name: string, configNames: readonly string[], replicas: number): ServiceSpec {
    const configs = configNames.map((configName) => ({
      configId: this.#firstIds.get(configName) ?? '',
      configName,
      target: { case: 'file' as const, value: { name: `/${configName}` } },
    }));
    const failureAction = name === 's1' ? FailureAction.ROLLBACK : FailureAction.CONTINUE;
    return webSpec({
      annotations: { name },
      task: {
        runtime: { case: 'container', value: { image: 'web:1', configs } },
        restart: { condition: RestartPolicy_RestartCondition.ANY, delay: durationFromMs(500) },
      },
      mode: { case: 'replicated', value: { replicas: BigInt(replicas) } },
      update: { parallelism: 1n, failureAction, monitor: durationFromMs(1_000) },
    });
  }

  async #changeLeader(): Promise<void> {
    await this.swarm.restartLoops();
    await this.#keeper.stop();
    this.#keeper = this.#newKeeper();
    this.#keeper.start();
  }

  #newKeeper(): VersionKeeper {
    const { store, clock } = this.swarm;
    return new VersionKeeper({ store, clock, random: new SimRandom(3), log: silentLogger });
  }
}

function configsOf({ task }: ServiceSpec) {
  return task?.runtime.case === 'container' ? task.runtime.value.configs : [];
}

it('versions are there while they are needed, reach every task, and are gone when nothing needs them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 40 }), async (deeds) => {
      const scene = new Scene();
      await scene.begin();
      for (const one of deeds) {
        await scene.perform(one);
        scene.check();
      }
      await scene.finish();
      const { view } = scene;
      const newest = new Set(allNewest(view, 'config').map(({ id }) => id));
      for (const service of view.all('service')) {
        const running = scene.swarm.running(service.id);
        expect(running).toHaveLength(
          Number((service.spec.mode.value as { replicas: bigint }).replicas),
        );
        for (const { spec } of running) {
          for (const key of dependenciesOf(spec)) expect(newest).toContain(key.slice(7));
        }
      }
      for (const config of view.all('config')) {
        expect(newest.has(config.id) || isNeeded(view, `config/${config.id}`)).toBe(true);
        expect(numberOf(config)).toBeGreaterThan(0);
      }
      expect(view.count('config')).toBeLessThanOrEqual(NAMES.length * (1 + SERVICES.length));
      await scene.end();
    }),
    { numRuns: 40, seed: 11 },
  );
});
