import { errorMessage, expandTemplate, type TemplateValue } from '@skep/platform';
import type { Annotations, ContainerSpec } from '@skep/wire/swarmkit';
import { invalidArgument } from '../errors.js';

/**
 * Tries the templates of a container spec on a made-up task, so that what can never be worked out is refused
 * before any task exists. Templates may stand in the host name, the values of the environment, and mounts
 * (features.md 3.7).
 */
export function checkTemplates(container: ContainerSpec, service: Annotations): void {
  const data = madeUpTask(service);
  try {
    for (const template of templatesOf(container)) expandTemplate(template, { data });
  } catch (error) {
    throw invalidArgument(errorMessage(error));
  }
}

function* templatesOf(container: ContainerSpec): Iterable<string> {
  yield container.hostname;
  for (const variable of container.env) yield variable.slice(variable.indexOf('=') + 1);
  for (const { source, target, volumeOptions } of container.mounts) {
    yield source;
    yield target;
    yield* Object.values(volumeOptions?.labels ?? {});
    yield* Object.values(volumeOptions?.driverConfig?.options ?? {});
  }
}

function madeUpTask(service: Annotations): TemplateValue {
  const platform = { Architecture: 'architecture', OS: 'os' };
  return {
    Service: {
      ID: 'serviceid',
      Name: service.name,
      Labels: new Map(Object.entries(service.labels)),
    },
    Node: { ID: 'nodeid', Hostname: 'nodeHostname', Platform: platform },
    Task: { ID: 'taskid', Name: 'taskname', Slot: '1' },
  };
}
