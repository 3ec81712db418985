import { create } from '@bufbuild/protobuf';
import { CreateNetworkRequestSchema, NetworkSpecSchema } from '@skep/wire/swarmkit';
import { joinAs } from './joining.js';
import type { ClusterMachine } from './machine.js';
import { foundRequest, NETWORK } from './specs.js';
import { notWell } from './well.js';
import type { ClusterWorld } from './world.js';

/** Simulated time in which a machine must be in the swarm, ms. */
const FORM_WITHIN_MS = 60_000;

/** Founds a swarm on a new machine. Resolves when all is well. */
export async function foundSwarm(world: ClusterWorld): Promise<ClusterMachine> {
  const machine = world.addMachine();
  await world.until('it is up', FORM_WITHIN_MS, () =>
    machine.life?.isRestored ? undefined : 'no',
  );
  const founded = machine.life?.membership.found(foundRequest(machine.address));
  void world.watch(Promise.resolve(founded));
  await world.until('a swarm is founded', FORM_WITHIN_MS, () => notWell(world));
  const spec = create(NetworkSpecSchema, { annotations: { name: NETWORK } });
  const request = create(CreateNetworkRequestSchema, { spec });
  void world.watch(Promise.resolve(machine.member?.manager?.control.createNetwork(request)));
  return machine;
}

/** Adds a machine to the swarm. Resolves when all is well. */
export async function addNode(
  world: ClusterWorld,
  role: 'manager' | 'worker',
): Promise<ClusterMachine> {
  const machine = world.addMachine();
  void world.watch(joinAs(world, machine, role));
  await world.until(`${machine.name} joins`, FORM_WITHIN_MS, () => notWell(world));
  return machine;
}
