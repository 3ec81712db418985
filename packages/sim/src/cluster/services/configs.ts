import { create } from '@bufbuild/protobuf';
import { type Control, nameOf, versionsOf } from '@skep/manager';
import type { ReadView } from '@skep/store';
import {
  type Config,
  CreateConfigRequestSchema,
  ListConfigsRequestSchema,
  type TaskSpec,
  TaskState,
  UpdateConfigRequestSchema,
} from '@skep/wire/swarmkit';
import type { Asker } from './asker.js';

/** The config of this name, in its newest version. */
export async function findConfig(control: Control, name: string): Promise<Config | undefined> {
  const filters = { names: [name] };
  const { configs } = await control.listConfigs(create(ListConfigsRequestSchema, { filters }));
  return configs[0];
}

/** Makes a config, or a new version of it. Resolves with what was done, in words. */
export async function changeConfig(
  { nextNumber, wishes }: Asker,
  control: Control,
  name: string,
): Promise<string> {
  const found = await findConfig(control, name);
  const text = `data ${nextNumber()}`;
  const spec = { annotations: { name }, data: Buffer.from(text) };
  if (!found) {
    const acknowledge = wishes.create({ name, text });
    await control.createConfig(create(CreateConfigRequestSchema, { spec }));
    acknowledge();
    return `created with ${text}`;
  }
  const acknowledge = wishes.update({ name, text });
  const configVersion = found.meta?.version;
  await control.updateConfig(
    create(UpdateConfigRequestSchema, {
      configId: found.id,
      spec,
      ...(configVersion && { configVersion }),
    }),
  );
  acknowledge();
  return `updated with ${text}`;
}

/** What each config holds in its newest version, by name. */
export function textsOfConfigs(view: ReadView): Map<string, string> {
  const names = new Set([...view.all('config')].map(nameOf));
  return new Map(
    [...names].map((name) => {
      const data = versionsOf(view, 'config', name).at(-1)?.spec.data ?? new Uint8Array();
      return [name, Buffer.from(data).toString()];
    }),
  );
}

/** The ids of the configs that tasks of a spec read. */
export function configIdsOf({ runtime }: TaskSpec): string[] {
  return runtime.case === 'container' ? runtime.value.configs.map(({ configId }) => configId) : [];
}

/** Which old version is there though no service has it or would go back to it, in words. */
export function notCollected(view: ReadView): string | undefined {
  const needed = new Set<string>();
  for (const { previousSpec, spec } of view.all('service')) {
    for (const id of configIdsOf(spec.task)) needed.add(id);
    for (const id of previousSpec ? configIdsOf(previousSpec.task) : []) needed.add(id);
  }
  for (const { status, spec } of view.all('task')) {
    // A task that ended, or whose end will be told by nobody, reads nothing any more.
    if (status.state <= TaskState.RUNNING) for (const id of configIdsOf(spec)) needed.add(id);
  }
  for (const config of view.all('config')) {
    const isNewest = versionsOf(view, 'config', nameOf(config)).at(-1) === config;
    if (!isNewest && !needed.has(config.id))
      return `${config.spec.annotations.name} is still there`;
  }
  return undefined;
}
