import { create } from '@bufbuild/protobuf';
import { type GenericResource, GenericResourceSchema } from '@skep/wire/swarmkit';
import { OptionsError } from './options.js';

const WHOLE_NUMBER = /^\d+$/;

/**
 * The values of `--node-generic-resource`: `SSD=3` is a count, `GPU=uuid-1` names one. Several values of a
 * kind must all be names, as one count already says all there is.
 */
export function parseGenericResources(values: readonly string[]): GenericResource[] {
  const resources = values.flatMap((value) => value.split(',')).map(parseOne);
  for (const { resource } of resources) {
    if (resource.case !== 'discreteResourceSpec') continue;
    const { kind } = resource.value;
    const same = resources.filter((other) => other.resource.value?.kind === kind);
    if (same.length > 1) {
      throw new OptionsError(`mixed discrete and named resources in expression '${kind}=…'`);
    }
  }
  return resources;
}

function parseOne(text: string): GenericResource {
  const match = /^([^=\s]+)=(\S+)$/.exec(text.trim());
  const [, kind, value] = match ?? [];
  if (!kind || !value) {
    throw new OptionsError(`could not parse GenericResource: incorrect term ${text}`);
  }
  return create(GenericResourceSchema, {
    resource: WHOLE_NUMBER.test(value)
      ? { case: 'discreteResourceSpec', value: { kind, value: BigInt(value) } }
      : { case: 'namedResourceSpec', value: { kind, value } },
  });
}

/** The same as `docker info` shows them; null when there are none. */
export function genericResourceJson(resources: readonly GenericResource[]): object[] | null {
  if (resources.length === 0) return null;
  return resources.map(({ resource }) =>
    resource.case === 'discreteResourceSpec'
      ? { DiscreteResourceSpec: { Kind: resource.value.kind, Value: Number(resource.value.value) } }
      : { NamedResourceSpec: { Kind: resource.value?.kind, Value: resource.value?.value } },
  );
}
