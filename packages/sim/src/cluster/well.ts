import { networksOfNode, SimTables } from '@skep/manager';
import type { Manager } from '@skep/member';
import type { ReadView } from '@skep/store';
import type { TaskObject } from '@skep/wire';
import { IssuanceStatus_State, NodeRole, NodeStatus_State, TaskState } from '@skep/wire/swarmkit';
import type { ClusterMachine } from './machine.js';
import { notCollected, notServed } from './services/index.js';
import type { ClusterWorld } from './world.js';

/** Why a swarm without faults is not at rest yet; undefined when it is. */
export function notWell(world: ClusterWorld): string | undefined {
  if (world.changesUnderWay > 0) return 'somebody waits for an answer';
  const leader = world.leader?.member?.manager;
  if (!leader) return 'nobody leads';
  return (
    notMembers(world) ??
    notManaging(world, leader) ??
    notReady(world, leader.view) ??
    notServed(leader.view) ??
    notCollected(leader.view) ??
    notRunning(world, leader.view) ??
    notConnected(world, leader.view)
  );
}

/** Every machine takes part under a node id of its own. */
function notMembers({ wanted }: ClusterWorld): string | undefined {
  for (const { life, name } of wanted) {
    const { membership } = life ?? {};
    if (membership?.state !== 'active') {
      return `${name} is ${membership?.state ?? 'down'} ${membership?.error ?? ''}`;
    }
  }
  return undefined;
}

/** Those are managers that should be, follow the leader, and have applied what it has. */
function notManaging({ wanted }: ClusterWorld, leader: Manager): string | undefined {
  const { commitIndex, members, raftId } = leader.raftStatus;
  for (const { member, name, nodeId } of wanted) {
    const node = nodeId === undefined ? undefined : leader.view.get('node', nodeId);
    if (!node) return `${name} is not a node of the swarm`;
    const isManager = node.spec.desiredRole === NodeRole.MANAGER;
    const inRaft = members.some((other) => other.nodeId === nodeId);
    if (isManager !== inRaft) return `${name} is ${inRaft ? '' : 'not '}in Raft`;
    if (node.role !== node.spec.desiredRole) return `${name} is not in its role`;
    if (node.certificate.status?.state !== IssuanceStatus_State.ISSUED) {
      return `${name} waits for a certificate`;
    }
    if (member?.role !== (isManager ? 'manager' : 'worker')) return `${name} has another role`;
    if ((member.manager !== undefined) !== isManager) return `${name} runs a manager or not`;
    const status = member.manager?.raftStatus;
    if (status && (status.leaderId !== raftId || status.appliedIndex !== commitIndex)) {
      return `${name} is behind`;
    }
  }
  return members.length === wanted.filter(({ member }) => member?.manager).length
    ? undefined
    : 'Raft has a member too many';
}

function notReady({ departed, wanted }: ClusterWorld, view: ReadView): string | undefined {
  let hasStrangers = false;
  for (const { id, status } of view.all('node')) {
    if (departed.has(id)) return `${id} left and is still there`;
    // A join that is given up after it was granted leaves a node behind, which never comes.
    const isOurs = wanted.some(({ nodeId }) => nodeId === id);
    hasStrangers ||= !isOurs;
    const state = isOurs ? NodeStatus_State.READY : NodeStatus_State.DOWN;
    if (status.state !== state) return `${id} is ${status.state} ${status.message}`;
  }
  // As Docker's, a rotation waits for every node there is, until an administrator removes it.
  const isRotating = [...view.all('cluster')].some(({ rootCa }) => rootCa.rootRotation);
  return isRotating && !hasStrangers ? 'the root is being rotated' : undefined;
}

function isRunning({ status }: TaskObject): boolean {
  return status.state === TaskState.RUNNING;
}

/** What machines run is what the store says of them, in both directions. */
function notRunning({ wanted }: ClusterWorld, view: ReadView): string | undefined {
  for (const machine of wanted) {
    const said = tasksSaidOf(machine, view).join(' ');
    const found = machine.containers.running.join(' ');
    if (said !== found) return `${machine.name} runs [${found}], and should [${said}]`;
  }
  return undefined;
}

function tasksSaidOf({ nodeId = '' }: ClusterMachine, view: ReadView): string[] {
  const running = [...view.tasksOfNode(nodeId)].filter(isRunning);
  return running.map(({ id }) => id).sort();
}

/** What each kernel has of the networks is what the store says. */
function notConnected({ wanted }: ClusterWorld, view: ReadView): string | undefined {
  for (const { name, nodeId = '', tables } of wanted) {
    const said = new Set(SimTables.of(networksOfNode(view, nodeId)).lines);
    const found = new Set(tables.lines);
    const missing = [...said].find((line) => !found.has(line));
    if (missing) return `${name} lacks ${missing}`;
    const stale = [...found].find((line) => !said.has(line));
    if (stale) return `${name} still has ${stale}`;
  }
  return undefined;
}
