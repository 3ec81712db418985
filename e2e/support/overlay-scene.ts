import type { TestCluster } from './cluster.ts';
import { must } from './exec.ts';
import type { TestMachines } from './machines.ts';
import { Place } from './probe.ts';

/** A running task, and where it is. */
export interface PlacedTask {
  id: string;
  containerId: string;
  node: string;
  /** In its container. */
  place: Place;
  /** By network's name, without prefix length. */
  addresses: Record<string, string>;
}

interface AttachedTask {
  ID: string;
  NodeID: string;
  Status: { ContainerStatus?: { ContainerID: string } };
  NetworksAttachments?: { Network: { Spec: { Name: string } }; Addresses: string[] }[];
}

/** The running tasks of a service, in the order of their nodes' names. */
export async function placed(
  cluster: TestCluster,
  service: string,
  count: number,
): Promise<PlacedTask[]> {
  const names = new Map((await cluster.nodes()).map(({ id, hostname }) => [id, hostname]));
  const tasks: AttachedTask[] = await cluster.running(service, count);
  const all = tasks.map((task) => {
    const node = names.get(task.NodeID) ?? '';
    const containerId = task.Status.ContainerStatus?.ContainerID ?? '';
    const place = Place.container(cluster.machines, node, containerId);
    return { id: task.ID, containerId, node, place, addresses: addressesOf(task) };
  });
  return all.sort((a, b) => (a.node < b.node ? -1 : 1));
}

function addressesOf({ NetworksAttachments }: AttachedTask): Record<string, string> {
  const attached = NetworksAttachments ?? [];
  return Object.fromEntries(
    attached.map(({ Network, Addresses }) => [
      Network.Spec.Name,
      Addresses[0]?.replace(/\/\d+$/, '') ?? '',
    ]),
  );
}

/** Virtual IP of a service in a network, without prefix length. */
export async function virtualIp(
  cluster: TestCluster,
  service: string,
  network: string,
): Promise<string> {
  const id = await cluster.docker('network', 'inspect', '-f', '{{.Id}}', network);
  const ips = await cluster.docker(
    'service',
    'inspect',
    '-f',
    '{{json .Endpoint.VirtualIPs}}',
    service,
  );
  const all: { NetworkID: string; Addr: string }[] = JSON.parse(ips) ?? [];
  return all.find(({ NetworkID }) => NetworkID === id)?.Addr.replace(/\/\d+$/, '') ?? '';
}

/** Runs a command in a machine's network alone: faster than by its shell. */
export async function inNetworkOf(
  machines: TestMachines,
  name: string,
  script: string,
): Promise<string> {
  return await must('nsenter', [
    `--net=/proc/${await machines.pid(name)}/ns/net`,
    ...['sh', '-ec', script],
  ]);
}
