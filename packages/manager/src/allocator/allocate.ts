import { create } from '@bufbuild/protobuf';
import type { Clock, Logger } from '@skep/platform';
import type { Transaction } from '@skep/store';
import { type TaskObject, timestampFromMs } from '@skep/wire';
import { EndpointSchema, TaskState, TaskStatusSchema } from '@skep/wire/swarmkit';
import type { AddressPlan } from './address-plan.js';
import { planNodeAttachments, planTaskAttachments, sameAttachments } from './attachments.js';
import { endpointIsCurrent, keepEndpoint, planEndpoint, sameEndpoint } from './endpoint.js';
import { AllocationError } from './errors.js';
import { foreignSubnets } from './foreign.js';
import type { Kind, Worklist } from './worklist.js';

export interface AllocateContext {
  plan: AddressPlan;
  worklist: Worklist;
  /** Subnets in use on this manager's host, as CIDRs. */
  hostSubnets(): readonly string[];
  clock: Clock;
  log: Logger;
}

type Allocate = (context: AllocateContext, tx: Transaction, id: string) => void;

/** Gives one object what it lacks. An object that cannot have it now is set aside in the worklist. */
export const ALLOCATE: Record<Kind, Allocate> = {
  network: allocateNetwork,
  service: allocateService,
  node: allocateNode,
  task: allocateTask,
};

function allocateNetwork(context: AllocateContext, tx: Transaction, id: string): void {
  const network = tx.get('network', id);
  if (!network) return;
  attempt(context, 'network', id, () => {
    const avoided = foreignSubnets(tx, context.hostSubnets());
    const allocated = context.plan.allocateNetwork(network, avoided);
    if (allocated !== network) tx.update('network', allocated);
  });
}

function allocateService(context: AllocateContext, tx: Transaction, id: string): void {
  const service = tx.get('service', id);
  if (!service) return;
  const refusal = attempt(context, 'service', id, () => {
    const endpoint = planEndpoint(context.plan, tx, service);
    if (!sameEndpoint(service.endpoint, endpoint)) tx.update('service', { ...service, endpoint });
  });
  if (refusal !== undefined) keepEndpoint(context.plan, service);
}

function allocateNode(context: AllocateContext, tx: Transaction, id: string): void {
  const node = tx.get('node', id);
  if (!node) return;
  const { attachments, failures } = planNodeAttachments(context.plan, tx, node);
  if (failures.length > 0) {
    context.log.warn({ node: id, failures }, 'a node has no address in a network');
    context.worklist.wait('node', id, failures.join('; '));
  }
  if (!sameAttachments(node.attachments, attachments)) tx.update('node', { ...node, attachments });
}

function allocateTask(context: AllocateContext, tx: Transaction, id: string): void {
  const task = tx.get('task', id);
  if (!task || task.status.state !== TaskState.NEW) return;
  const refusal = attempt(context, 'task', id, () => tx.update('task', pending(context, tx, task)));
  if (refusal === undefined) return;
  context.plan.release(`task/${id}`);
  if (refusal === task.status.err) return;
  const status = create(TaskStatusSchema, {
    ...task.status,
    timestamp: timestampFromMs(context.clock.now()),
    err: refusal,
  });
  tx.update('task', { ...task, status });
}

/** The task with all it needs, ready to be scheduled. One that shall not run any more gets nothing. */
function pending(context: AllocateContext, tx: Transaction, task: TaskObject): TaskObject {
  const status = create(TaskStatusSchema, {
    ...task.status,
    timestamp: timestampFromMs(context.clock.now()),
    state: TaskState.PENDING,
    message: 'pending task scheduling',
    err: '',
  });
  if (task.desiredState > TaskState.COMPLETE) return { ...task, status };
  const service = task.serviceId ? tx.get('service', task.serviceId) : undefined;
  if (service && !endpointIsCurrent(tx, service)) {
    const lack = context.worklist.lackOf('service', service.id);
    throw new AllocationError(lack ?? 'the addresses of the service are not allocated yet');
  }
  const networks = planTaskAttachments(context.plan, tx, task, service);
  const endpoint = service?.endpoint ?? task.endpoint;
  return { ...task, status, networks, endpoint: endpoint && create(EndpointSchema, endpoint) };
}

/** Runs `fn`; when what it asks for cannot be had, sets the object aside and returns why. */
function attempt(
  context: AllocateContext,
  kind: Kind,
  id: string,
  fn: () => void,
): string | undefined {
  try {
    fn();
    return undefined;
  } catch (error) {
    if (!(error instanceof AllocationError)) throw error;
    context.worklist.wait(kind, id, error.message);
    // A task carries the reason in its status; of the others nobody would know.
    if (kind !== 'task') {
      context.log.warn({ kind, id, error: error.message }, 'allocation must wait');
    }
    return error.message;
  }
}
