import { create } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import { type NetworksUpdate, NetworksUpdateSchema } from '@skep/wire/skep';
import {
  endpointRow,
  networkIdsOf,
  networkIdsOfService,
  networkRow,
  nodeRow,
  serviceRow,
  type Withdrawn,
} from './rows.js';

const NONE: Withdrawn = new Set();

/**
 * All that one node is to know of its networks, said by the store alone. This is what it means for
 * tables to be right; what nodes are told in truth is worked out change by change (`Rows`).
 */
export function networksOfNode(
  view: ReadView,
  nodeId: string,
  withdrawn: Withdrawn = NONE,
): NetworksUpdate {
  const update = create(NetworksUpdateSchema, { complete: true });
  const attachments = view.get('node', nodeId)?.attachments ?? [];
  for (const networkId of networkIdsOf(attachments)) {
    const network = view.get('network', networkId);
    const row = network && networkRow(network);
    const own = attachments.find((attachment) => attachment.network?.id === networkId);
    if (!row) continue;
    update.networks.push({ ...row, nodeAddress: own?.addresses[0] ?? '' });
    addRows(update, networkId, view, withdrawn);
  }
  return update;
}

function addRows(
  update: NetworksUpdate,
  networkId: string,
  view: ReadView,
  withdrawn: Withdrawn,
): void {
  const nodes = [...view.all('node')].map((node) => nodeRow(node, networkId));
  const endpoints = [...view.all('task')].map((task) =>
    endpointRow(task, networkId, view, withdrawn),
  );
  update.nodes.push(...nodes.filter((row) => row !== undefined));
  update.endpoints.push(...endpoints.filter((row) => row !== undefined));
  for (const service of view.all('service')) {
    const hasTask = endpoints.some((endpoint) => endpoint?.serviceId === service.id);
    if (!hasTask && !networkIdsOfService(service, view).includes(networkId)) continue;
    update.services.push(serviceRow(service, networkId, view));
  }
}
