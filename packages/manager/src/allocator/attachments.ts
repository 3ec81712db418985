import { create } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import type { NetworkObject, NodeObject, ServiceObject, TaskObject } from '@skep/wire';
import { type NetworkAttachment, NetworkAttachmentSchema, TaskState } from '@skep/wire/swarmkit';
import type { AddressPlan } from './address-plan.js';
import { AllocationError } from './errors.js';
import { isAllocated } from './network-plan.js';
import {
  givesAddresses,
  ingressNetwork,
  ingressReady,
  networksOfTask,
  publishesIngress,
  targetNetwork,
} from './networks.js';
import { leaveRoomForNodes } from './room-for-nodes.js';

/** What a task is attached to, the mesh first. Takes the addresses it lacks. Throws `AllocationError`. */
export function planTaskAttachments(
  plan: AddressPlan,
  view: ReadView,
  task: TaskObject,
  service: ServiceObject | undefined,
): NetworkAttachment[] {
  const owner = `task/${task.id}` as const;
  const attach = (network: NetworkObject, wanted?: string) => {
    if (!givesAddresses(network)) return create(NetworkAttachmentSchema, { network });
    if (!plan.holds(owner, network.id)) leaveRoomForNodes(plan, view, task, network);
    const addresses = [plan.address(owner, network.id, wanted)];
    return create(NetworkAttachmentSchema, { network, addresses });
  };
  const attachments: NetworkAttachment[] = [];
  if (service && publishesIngress(service.spec.endpoint)) {
    attachments.push(attach(ingressReady(view)));
  }
  for (const { target, aliases, addresses, driverAttachmentOpts } of networksOfTask(
    task,
    service,
  )) {
    const attachment = attach(targetNetwork(view, target), addresses[0]);
    attachments.push(
      create(NetworkAttachmentSchema, { ...attachment, aliases, driverAttachmentOpts }),
    );
  }
  return attachments;
}

/**
 * A node's own addresses, from which it balances: one in the mesh and one in each overlay network that a
 * task on it uses. Networks without a free address are left out and named in `failures`.
 */
export function planNodeAttachments(
  plan: AddressPlan,
  view: ReadView,
  node: NodeObject,
): { attachments: NetworkAttachment[]; failures: string[] } {
  const owner = `node/${node.id}` as const;
  const attachments: NetworkAttachment[] = [];
  const failures: string[] = [];
  const networks = networksInUse(view, node.id);
  for (const networkId of plan.networksOf(owner)) {
    if (!networks.some(({ id }) => id === networkId)) plan.releaseAddress(owner, networkId);
  }
  for (const network of networks) {
    const present = node.attachments.find((attachment) => attachment.network?.id === network.id);
    try {
      const address = plan.address(owner, network.id);
      attachments.push(
        present?.addresses[0] === address
          ? present
          : create(NetworkAttachmentSchema, { network, addresses: [address] }),
      );
    } catch (error) {
      if (!(error instanceof AllocationError)) throw error;
      failures.push(error.message);
    }
  }
  return { attachments, failures };
}

function networksInUse(view: ReadView, nodeId: string): NetworkObject[] {
  const networks = new Map<string, NetworkObject>();
  const ingress = ingressNetwork(view);
  if (ingress && isAllocated(ingress)) networks.set(ingress.id, ingress);
  for (const task of view.tasksOfNode(nodeId)) {
    if (task.status.state > TaskState.RUNNING) continue;
    for (const { network } of task.networks) {
      const current = network && view.get('network', network.id);
      if (current && givesAddresses(current)) networks.set(current.id, current);
    }
  }
  return [...networks.values()];
}

/** Whether two lists attach to the same networks under the same addresses. */
export function sameAttachments(
  a: readonly NetworkAttachment[],
  b: readonly NetworkAttachment[],
): boolean {
  return a.length === b.length && a.every((attachment, at) => attachment === b[at]);
}
