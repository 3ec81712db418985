import {
  type Node,
  NodeRole,
  NodeSpec_Availability,
  NodeStatus_State,
  RaftMemberStatus_Reachability,
  type Service,
  type UpdateStatus,
  UpdateStatus_UpdateState,
} from '@skep/wire/swarmkit';
import { enumText } from '../convert/json.js';

type Attributes = Record<string, string>;

/** `name.old` and `name.new`, when they differ. A side that has nothing is left out. */
export function changed(
  name: string,
  before: string | undefined,
  after: string | undefined,
): Attributes {
  if (before === after) return {};
  return {
    ...(before === undefined ? {} : { [`${name}.old`]: before }),
    ...(after === undefined ? {} : { [`${name}.new`]: after }),
  };
}

/** What an update changed about a node, as far as events tell (features.md 5.5). */
export function nodeChanges(before: Node, after: Node): Attributes {
  const text = (node: Node) => ({
    availability: enumText(NodeSpec_Availability, node.spec?.availability ?? 0),
    role: enumText(NodeRole, node.role),
    state: enumText(NodeStatus_State, node.status?.state ?? 0),
    leader: String(node.managerStatus?.leader ?? false),
    reachability: enumText(RaftMemberStatus_Reachability, node.managerStatus?.reachability ?? 0),
  });
  const [old, now] = [text(before), text(after)];
  const staysManager = before.managerStatus !== undefined && after.managerStatus !== undefined;
  return {
    ...changed('availability', old.availability, now.availability),
    ...changed('role', old.role, now.role),
    ...changed('state', old.state, now.state),
    ...(staysManager ? changed('leader', old.leader, now.leader) : {}),
    ...(staysManager ? changed('reachability', old.reachability, now.reachability) : {}),
  };
}

/** What an update changed about a service, as far as events tell. */
export function serviceChanges(before: Service, after: Service): Attributes {
  return {
    ...changed('image', imageOf(before), imageOf(after)),
    ...changed('replicas', replicasOf(before), replicasOf(after)),
    ...changed('updatestate', stateOf(before.updateStatus), stateOf(after.updateStatus)),
  };
}

function imageOf({ spec }: Service): string | undefined {
  const runtime = spec?.task?.runtime;
  return runtime?.case === 'container' ? runtime.value.image : undefined;
}

function replicasOf({ spec }: Service): string | undefined {
  return spec?.mode.case === 'replicated' ? String(spec.mode.value.replicas) : undefined;
}

function stateOf(status: UpdateStatus | undefined): string | undefined {
  return status && enumText(UpdateStatus_UpdateState, status.state);
}
