import type { Change } from '@skep/store';
import type { SelectBy, SelectByCustom } from '@skep/wire/swarmkit';

type Selector = SelectBy['by'];

/** Whether the object of a change is one a selector picks. A selector its table has no field for picks none. */
export function selects({ by }: SelectBy, change: Change): boolean {
  switch (by.case) {
    case undefined:
      return true;
    case 'id':
      return change.object.id === by.value;
    case 'idPrefix':
      return change.object.id.startsWith(by.value);
    case 'name':
      return nameOf(change) === by.value;
    case 'namePrefix':
      return nameOf(change).startsWith(by.value);
    case 'custom':
    case 'customPrefix':
      return hasIndex(change, by.value, by.case === 'customPrefix');
    case 'kind':
      return change.table === 'resource' && change.object.kind === by.value;
    case 'role':
      return change.table === 'node' && change.object.role === by.value;
    case 'membership':
      return change.table === 'node' && change.object.spec.membership === by.value;
    default:
      return selectsTask(by, change) || selectsReferring(by, change);
  }
}

function selectsTask(by: Selector, change: Change): boolean {
  if (change.table !== 'task') return false;
  const task = change.object;
  switch (by.case) {
    case 'serviceId':
      return task.serviceId === by.value;
    case 'nodeId':
      return task.nodeId === by.value;
    case 'slot':
      return task.serviceId === by.value.serviceId && task.slot === by.value.slot;
    case 'desiredState':
      return task.desiredState === by.value;
    default:
      return false;
  }
}

/** Tasks and services, by the networks, secrets and configs in their specs. */
function selectsReferring(by: Selector, change: Change): boolean {
  if (change.table !== 'task' && change.table !== 'service') return false;
  const spec = change.table === 'task' ? change.object.spec : change.object.spec.task;
  const container = spec.runtime.case === 'container' ? spec.runtime.value : undefined;
  switch (by.case) {
    case 'referencedNetworkId':
      return spec.networks.some(({ target }) => target === by.value);
    case 'referencedSecretId':
      return container?.secrets.some(({ secretId }) => secretId === by.value) ?? false;
    case 'referencedConfigId':
      return container?.configs.some(({ configId }) => configId === by.value) ?? false;
    default:
      return false;
  }
}

function nameOf(change: Change): string {
  if (change.table === 'node') return change.object.description?.hostname ?? '';
  return annotationsOf(change).name;
}

function annotationsOf(change: Change) {
  if (change.table === 'task' || change.table === 'resource' || change.table === 'extension') {
    return change.object.annotations;
  }
  return change.object.spec.annotations;
}

function hasIndex(change: Change, wanted: SelectByCustom, byPrefix: boolean): boolean {
  return annotationsOf(change).indices.some(
    ({ key, val }) =>
      key === wanted.index && (byPrefix ? val.startsWith(wanted.value) : val === wanted.value),
  );
}
