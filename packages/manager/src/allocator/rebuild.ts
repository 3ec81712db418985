import type { Logger } from '@skep/platform';
import type { ReadView } from '@skep/store';
import type { NetworkObject } from '@skep/wire';
import { type NetworkAttachment, TaskState } from '@skep/wire/swarmkit';
import { AddressPlan, type Owner } from './address-plan.js';
import { AllocationError } from './errors.js';
import { isIngress } from './network-plan.js';

/**
 * The address plan that the stored objects amount to (wire-raft.md 6.4): networks, then what nodes, services
 * and tasks have in them. A claim that contradicts an earlier one is logged and left out.
 */
export function rebuildPlan(view: ReadView, log: Logger): AddressPlan {
  const conflict = (what: string, id: string) => log.error({ id }, `${what} is held twice`);
  const plan = networksPlan(view, conflict);
  const restore = (owner: Owner, attachments: readonly NetworkAttachment[]) => {
    for (const { network, addresses } of attachments) {
      const [address] = addresses;
      if (!network || address === undefined || !view.get('network', network.id)) continue;
      if (!plan.restoreAddress(owner, network.id, address)) conflict(address, owner);
    }
  };
  for (const node of view.all('node')) restore(`node/${node.id}`, node.attachments);
  for (const { id, endpoint } of view.all('service')) {
    for (const { networkId, addr } of endpoint?.virtualIps ?? []) {
      if (!view.get('network', networkId)) continue;
      if (!plan.restoreAddress(`service/${id}`, networkId, addr)) conflict(addr, id);
    }
    if (!plan.restorePorts(id, endpoint?.ports ?? [])) conflict('a published port', id);
  }
  for (const task of view.all('task')) {
    if (task.status.state <= TaskState.RUNNING) restore(`task/${task.id}`, task.networks);
  }
  plan.resume();
  return plan;
}

/** What the stored networks hold, without anybody's addresses in them. */
export function networksPlan(
  view: ReadView,
  conflict: (what: string, id: string) => void,
): AddressPlan {
  const [cluster] = view.all('cluster');
  const plan = new AddressPlan({
    pools: cluster?.defaultAddressPool ?? [],
    subnetBits: cluster?.subnetSize ?? 0,
    dataPathPort: cluster?.VXLANUDPPort ?? 0,
  });
  for (const network of networksInOrder(view)) {
    try {
      plan.restoreNetwork(network);
    } catch (error) {
      if (!(error instanceof AllocationError)) throw error;
      conflict(error.message, network.id);
    }
  }
  return plan;
}

/** The mesh's network first: in a new cluster it gets the first subnet. The others in order of creation. */
export function networksInOrder(view: ReadView): NetworkObject[] {
  return [...view.all('network')].sort(
    (a, b) =>
      Number(isIngress(b)) - Number(isIngress(a)) ||
      Number(a.meta.version.index - b.meta.version.index) ||
      (a.id < b.id ? -1 : 1),
  );
}
