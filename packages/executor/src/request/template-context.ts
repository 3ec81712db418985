import { clone } from '@bufbuild/protobuf';
import { expandTemplate, type TemplateFunction, type TemplateValue } from '@skep/platform';
import { type ContainerSpec, ContainerSpecSchema, type Mount } from '@skep/wire/swarmkit';

type Expand = (template: string) => string;

function expandMap(map: Record<string, string>, expand: Expand): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, expand(value)]));
}

function expandMount(mount: Mount, expand: Expand): void {
  mount.source = expand(mount.source);
  mount.target = expand(mount.target);
  const { volumeOptions } = mount;
  if (!volumeOptions) return;
  volumeOptions.labels = expandMap(volumeOptions.labels, expand);
  const driver = volumeOptions.driverConfig;
  if (driver) driver.options = expandMap(driver.options, expand);
}

/** Only the value: a name is never a template. */
function expandVariable(variable: string, expand: Expand): string {
  const separator = variable.indexOf('=');
  if (separator < 0) return variable;
  return variable.slice(0, separator + 1) + expand(variable.slice(separator + 1));
}

/** Runs `work`, naming what was expanded when it fails. */
export function naming<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`expanding ${what} failed: ${message}`, { cause: error });
  }
}

/** The container spec of a task with its templates worked out. */
export function expandContainerSpec(spec: ContainerSpec, data: TemplateValue): ContainerSpec {
  const expand: Expand = (template) => expandTemplate(template, { data });
  const expanded = clone(ContainerSpecSchema, spec);
  naming('mounts', () => {
    for (const mount of expanded.mounts) expandMount(mount, expand);
  });
  naming('env', () => {
    expanded.env = expanded.env.map((variable) => expandVariable(variable, expand));
  });
  naming('hostname', () => {
    expanded.hostname = expand(expanded.hostname);
  });
  return expanded;
}

/** The text that a template, or what it puts in, must be. Throws when it is none. */
export function utf8Text(data: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new Error('template: its data is not UTF-8');
  }
}

/** Works out the payload of a templated secret or config. */
export function expandPayload(
  data: Uint8Array,
  context: TemplateValue,
  functions: Record<string, TemplateFunction>,
): Uint8Array {
  return Buffer.from(expandTemplate(utf8Text(data), { data: context, functions }), 'utf8');
}
