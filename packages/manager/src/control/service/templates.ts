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
  for (const { part, template } of templatesOf(container)) {
    try {
      expandTemplate(template, { data });
    } catch (error) {
      throw invalidArgument(`expanding ${part} failed: ${errorMessage(error)}`);
    }
  }
}

/** Each template, and the part of the spec it stands in, as Docker names it. */
function* templatesOf(container: ContainerSpec): Iterable<{ part: string; template: string }> {
  for (const { source, target, volumeOptions } of container.mounts) {
    const labels = Object.values(volumeOptions?.labels ?? {});
    const options = Object.values(volumeOptions?.driverConfig?.options ?? {});
    for (const template of [source, target, ...labels, ...options]) {
      yield { part: 'mounts', template };
    }
  }
  for (const variable of container.env) {
    yield { part: 'env', template: variable.slice(variable.indexOf('=') + 1) };
  }
  yield { part: 'hostname', template: container.hostname };
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
