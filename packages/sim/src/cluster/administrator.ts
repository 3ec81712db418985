import { create } from '@bufbuild/protobuf';
import type { Control } from '@skep/manager';
import { errorMessage } from '@skep/platform';
import {
  GetNodeRequestSchema,
  ListClustersRequestSchema,
  NodeRole,
  NodeSpec_Availability,
  RemoveNodeRequestSchema,
  UpdateClusterRequestSchema,
  UpdateNodeRequestSchema,
} from '@skep/wire/swarmkit';
import type { ClusterFault } from './faults/contract.js';
import type { ClusterMachine } from './machine.js';
import type { ClusterWorld } from './world.js';

/** Time after which nobody waits for an answer any more, ms: the machine asked may be gone. */
const ANSWER_WITHIN_MS = 30_000;
const LEFT_WITHIN_MS = 20_000;
const ASK_AGAIN_MS = 1_000;

/** Changes that an administrator makes to a swarm. Each is tried once; what fails is only noted. */
export async function changeRole(
  world: ClusterWorld,
  machine: ClusterMachine,
  role: 'manager' | 'worker',
): Promise<void> {
  await changeNode(world, machine, `becomes a ${role}`, {
    desiredRole: role === 'manager' ? NodeRole.MANAGER : NodeRole.WORKER,
  });
}

export async function changeAvailability(
  world: ClusterWorld,
  machine: ClusterMachine,
  availability: 'ACTIVE' | 'PAUSE' | 'DRAIN',
): Promise<void> {
  await changeNode(world, machine, `becomes ${availability}`, {
    availability: NodeSpec_Availability[availability],
  });
}

function changeNode(
  world: ClusterWorld,
  machine: ClusterMachine,
  what: string,
  change: { desiredRole?: NodeRole; availability?: NodeSpec_Availability },
): Promise<void> {
  const { nodeId } = machine;
  if (!nodeId) return Promise.resolve();
  return ask(world, `${machine.name} ${what}`, async (control) => {
    const { node } = await control.getNode(create(GetNodeRequestSchema, { nodeId }));
    if (!node?.spec) return;
    const spec = { ...node.spec, ...change };
    const nodeVersion = node.meta?.version;
    await control.updateNode(
      create(UpdateNodeRequestSchema, { nodeId, spec, ...(nodeVersion && { nodeVersion }) }),
    );
  });
}

/** A worker leaves and is removed, and its machine is put away. */
export async function leave(world: ClusterWorld, machine: ClusterMachine): Promise<void> {
  const { life, member, nodeId } = machine;
  const isPlainWorker = member?.role === 'worker' && life?.membership.state === 'active';
  if (!isPlainWorker || !nodeId || world.wanted.length < 2) return;
  // One that is about to be promoted would be a manager that left.
  const view = world.leader?.member?.manager?.view;
  if (view?.get('node', nodeId)?.spec.desiredRole !== NodeRole.WORKER) return;
  world.note(machine.name, 'leaves');
  machine.isRetired = true;
  world.departed.add(nodeId);
  await Promise.race([life.membership.leave(), world.timeline.sleep(LEFT_WITHIN_MS)]);
  machine.die('power');
}

/**
 * Removes a node that left for good: asked for until it is gone, since a leader that just lost its
 * peers can only answer that it does not know what becomes of it.
 */
export async function removeDeparted(world: ClusterWorld, nodeId: string): Promise<void> {
  const isThere = () => world.leader?.member?.manager?.view.get('node', nodeId) !== undefined;
  while (!world.leader || isThere()) {
    await ask(world, `removes ${nodeId}`, async (control) => {
      await control.removeNode(create(RemoveNodeRequestSchema, { nodeId, force: true }));
    });
    await world.timeline.sleep(ASK_AGAIN_MS);
  }
}

export type SwarmChange = Extract<
  ClusterFault,
  { kind: 'autolock' | 'rotate-root' | 'rotate-tokens' | 'rotate-unlock-key' }
>;

export function changeSwarm(world: ClusterWorld, change: SwarmChange): Promise<void> {
  const { kind } = change;
  return ask(world, kind, async (control) => {
    const { clusters } = await control.listClusters(create(ListClustersRequestSchema));
    const [cluster] = clusters;
    if (!cluster?.spec?.caConfig || !cluster.spec.encryptionConfig) return;
    const { caConfig, encryptionConfig } = cluster.spec;
    const forceRotate = caConfig.forceRotate + (kind === 'rotate-root' ? 1n : 0n);
    const autoLockManagers = kind === 'autolock' ? change.locks : encryptionConfig.autoLockManagers;
    const rotatesTokens = kind === 'rotate-tokens';
    const clusterVersion = cluster.meta?.version;
    await control.updateCluster(
      create(UpdateClusterRequestSchema, {
        clusterId: cluster.id,
        spec: {
          ...cluster.spec,
          caConfig: { ...caConfig, forceRotate },
          encryptionConfig: { ...encryptionConfig, autoLockManagers },
        },
        ...(clusterVersion && { clusterVersion }),
        rotation: {
          ...{ workerJoinToken: rotatesTokens, managerJoinToken: rotatesTokens },
          managerUnlockKey: kind === 'rotate-unlock-key',
        },
      }),
    );
  });
}

/** Asks some manager, once. */
export async function ask(
  world: ClusterWorld,
  what: string,
  request: (control: Control) => Promise<void>,
): Promise<void> {
  const machine = world.leader ?? world.wanted.find(({ member }) => member?.manager);
  const { life, member } = machine ?? {};
  if (!life || !member?.manager) return;
  world.changesUnderWay++;
  const outcome = request(member.manager.control).then(
    () => 'done',
    (error: unknown) => `refused: ${errorMessage(error)}`,
  );
  const late = world.timeline.sleep(ANSWER_WITHIN_MS);
  const unknown = Promise.race([late, life.ended]).then(() => 'no answer');
  world.note('admin', `${what}: ${await Promise.race([outcome, unknown])}`);
  world.changesUnderWay--;
}
