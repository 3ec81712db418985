import { errorMessage } from '@skep/platform';
import { NodeSpec_Availability } from '@skep/wire/swarmkit';
import { type ClusterMachine, PORT } from './machine.js';
import type { ClusterWorld } from './world.js';

const LOOK_EVERY_MS = 100;
const JOIN_RETRY_MS = 1_000;

/** Joins a machine to the swarm as `docker swarm join` would, again and again until it is in. */
export async function joinAs(
  world: ClusterWorld,
  machine: ClusterMachine,
  role: 'manager' | 'worker',
): Promise<void> {
  for (;;) {
    const way = wayIn(world, machine, role);
    if (machine.isRetired) return;
    const life = machine.life?.isRestored ? machine.life : undefined;
    // The attempt of an earlier life goes on after a restart.
    if (life && life.membership.state !== 'inactive') return;
    if (life && way) await attempt(world, machine, way);
    else await world.timeline.sleep(LOOK_EVERY_MS);
  }
}

interface WayIn {
  token: string;
  addresses: readonly string[];
}

/** What an administrator finds out from any manager at work. */
function wayIn(
  world: ClusterWorld,
  machine: ClusterMachine,
  role: 'manager' | 'worker',
): WayIn | undefined {
  for (const other of world.wanted) {
    const manager = other === machine ? undefined : other.member?.manager;
    const [cluster] = manager?.view.all('cluster') ?? [];
    const tokens = cluster?.rootCa.joinTokens;
    const members = manager?.raftStatus.members ?? [];
    if (!tokens || members.length === 0) continue;
    return { token: tokens[role], addresses: members.map(({ address }) => address) };
  }
  return undefined;
}

/** Resolves when it is in, was refused, or its life is over. */
async function attempt(
  world: ClusterWorld,
  machine: ClusterMachine,
  { token, addresses }: WayIn,
): Promise<void> {
  const { life } = machine;
  if (!life) return;
  world.note(machine.name, 'joins');
  const request = {
    ...{ listenAddress: `0.0.0.0:${PORT}`, advertiseAddress: machine.address },
    ...{ dataPathAddress: '', remoteAddresses: addresses, joinToken: token },
    availability: NodeSpec_Availability.ACTIVE,
  };
  const joined = life.membership.join(request, new AbortController().signal).then(
    () => world.note(machine.name, 'has joined'),
    async (error: unknown) => {
      // Tokens may be rotated, and managers lose their roles, while it tries.
      world.note(machine.name, `cannot join: ${errorMessage(error)}`);
      await world.timeline.sleep(JOIN_RETRY_MS);
    },
  );
  await Promise.race([joined, life.ended]);
}
