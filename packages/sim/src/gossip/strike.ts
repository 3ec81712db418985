import { partition } from '../net/index.js';
import type { GossipFault } from './contract.js';
import type { GossipMachine } from './machine.js';
import type { GossipWorld } from './world.js';

/** Where what is heard again, or is none of ours, seems to come from. */
const STRANGER = { ip: '10.9.0.250', port: 7946 };
const GARBAGE_BYTES_MAX = 1_400;

/** Makes a fault happen now, and its end later. */
export function strike(world: GossipWorld, fault: GossipFault): void {
  world.note('fault', JSON.stringify(fault));
  const target = 'target' in fault ? world.machines[fault.target] : undefined;
  if (target) strikeMachine(world, target, fault);
  else if (fault.kind === 'rotate-keys') rotateKeys(world, fault.arrivesMs);
  else if (fault.kind === 'replay') replay(world, fault.packets);
}

function strikeMachine(world: GossipWorld, target: GossipMachine, fault: GossipFault): void {
  const others = world.machines.filter((machine) => machine !== target).map(({ ip }) => ip);
  switch (fault.kind) {
    case 'crash':
      target.die();
      world.startLater(target, fault.downMs);
      break;
    case 'restart':
      void world.watch(target.stop()).then(() => world.startLater(target, fault.downMs));
      break;
    case 'pause': {
      const clock = target.life?.clock;
      clock?.pause(fault.how);
      world.repairs.after(fault.forMs, () => clock?.resume());
      break;
    }
    case 'partition':
      world.repairs.after(fault.forMs, partition(world.links, fault.shape, [target.ip, ...others]));
      break;
    case 'clog':
      for (const other of others) {
        world.links.clog(target.ip, other, fault.forMs);
        world.links.clog(other, target.ip, fault.forMs);
      }
      break;
    case 'garbage':
      garbage(world, target, fault.packets);
      break;
    default:
  }
}

/** A machine that is down gets its keys when it starts. */
function rotateKeys(world: GossipWorld, arrivesMs: readonly number[]): void {
  const handOver = world.rotateKeys();
  world.machines.forEach((machine, place) => {
    world.repairs.after(arrivesMs[place] ?? 0, () => handOver(machine));
  });
}

function replay(world: GossipWorld, packets: number): void {
  for (let left = packets; left > 0 && world.overheard.length > 0; left--) {
    const packet = world.draw.pick(world.overheard);
    const { life } = world.draw.pick(world.machines);
    life?.clock.whenAwake(() => life.node.onPacket(packet, STRANGER));
  }
}

function garbage(world: GossipWorld, { life }: GossipMachine, packets: number): void {
  for (let left = packets; left > 0; left--) {
    const bytes = world.draw.random.bytes(world.draw.between(0, GARBAGE_BYTES_MAX));
    life?.clock.whenAwake(() => {
      life.node.onPacket(bytes, STRANGER);
      void world.watch(life.node.onStream(bytes).then(() => {}));
    });
  }
}
