import { partition } from '../../net/index.js';
import { changeAvailability, changeRole, changeSwarm, leave } from '../administrator.js';
import { joinAs } from '../joining.js';
import type { ClusterMachine } from '../machine.js';
import type { ClusterWorld } from '../world.js';
import type { ClusterFault } from './contract.js';

const RAFT_DIRECTORY = '/swarm/raft';

/** Makes a fault happen now, and its end later. */
export function strike(world: ClusterWorld, fault: ClusterFault): void {
  const target = 'target' in fault ? targetOf(world, fault.target) : undefined;
  world.note('fault', `${describeFault(fault)}${target ? ` (${target.name})` : ''}`);
  switch (fault.kind) {
    case 'crash-all':
      world.wanted.forEach((machine, at) => {
        machine.die(fault.how);
        world.startLater(machine, fault.downMs[at % fault.downMs.length] ?? 0);
      });
      return;
    case 'join':
      void world.watch(joinAs(world, world.addMachine(), fault.role));
      return;
    case 'autolock':
    case 'rotate-root':
    case 'rotate-tokens':
    case 'rotate-unlock-key':
      void world.watch(changeSwarm(world, fault));
      return;
    default:
      if (target) strikeMachine(world, target, fault);
  }
}

type TargetedFault = Extract<ClusterFault, { target: unknown }>;

function strikeMachine(world: ClusterWorld, target: ClusterMachine, fault: TargetedFault): void {
  switch (fault.kind) {
    case 'crash':
      target.die(fault.how);
      world.startLater(target, fault.downMs);
      return;
    case 'power-cut-at':
      target.disk.cutPowerAt(target.disk.operations + fault.operations);
      return;
    case 'restart':
      void world.watch(target.stop()).then(() => world.startLater(target, fault.downMs));
      return;
    case 'clock-jump':
      target.life?.clock.jump(fault.byMs);
      return;
    case 'lose-log':
      void world.watch(loseLog(world, target, fault.downMs));
      return;
    case 'exit': {
      const running = target.containers.running;
      const taskId = running[Math.floor(fault.place * running.length)];
      if (taskId) world.exit(target, taskId, fault.exitCode);
      return;
    }
    case 'role':
      void world.watch(changeRole(world, target, fault.role));
      return;
    case 'availability':
      void world.watch(changeAvailability(world, target, fault.availability));
      return;
    case 'leave':
      void world.watch(leave(world, target));
      return;
    default:
      strikeWays(world, target, fault);
  }
}

type WayFault = Extract<TargetedFault, { kind: 'pause' | 'partition' | 'bad-cable' }>;

function strikeWays(world: ClusterWorld, target: ClusterMachine, fault: WayFault): void {
  const others = world.machines.filter((machine) => machine !== target).map(({ ip }) => ip);
  switch (fault.kind) {
    case 'pause':
      pause(world, target, fault);
      return;
    case 'partition':
      world.repairs.after(fault.forMs, partition(world.cuts, fault.shape, [target.ip, ...others]));
      return;
    case 'bad-cable': {
      const setLoss = (loss: number) => {
        for (const other of others) {
          world.network.setLoss(loss, target.ip, other);
          world.network.setLoss(loss, other, target.ip);
        }
      };
      setLoss(fault.loss);
      world.repairs.after(fault.forMs, () => setLoss(0));
    }
  }
}

function targetOf(
  world: ClusterWorld,
  target: Extract<ClusterFault, { kind: 'crash' }>['target'],
): ClusterMachine | undefined {
  const { leader, wanted } = world;
  return target === 'leader' ? (leader ?? wanted[0]) : wanted[target % wanted.length];
}

function pause(
  world: ClusterWorld,
  target: ClusterMachine,
  { how, forMs }: Extract<ClusterFault, { kind: 'pause' }>,
): void {
  const clock = target.life?.clock;
  if (!clock || clock.isPaused) return;
  clock.pause(how);
  world.network.pause(target.ip);
  world.repairs.after(forMs, () => {
    if (clock.isDead) return;
    clock.resume();
    world.network.resume(target.ip);
    world.note(target.name, 'goes on');
  });
}

/** Only one of several: what a single manager loses is lost. */
async function loseLog(world: ClusterWorld, target: ClusterMachine, downMs: number): Promise<void> {
  const members = target.member?.manager?.raftStatus.members.length ?? 0;
  if (members < 3 || world.hasLostLog) return;
  world.hasLostLog = true;
  target.die('power');
  await target.removeFiles(RAFT_DIRECTORY);
  world.startLater(target, downMs);
}

function describeFault({ kind, ...details }: ClusterFault): string {
  return [kind, ...Object.entries(details).map(([name, value]) => `${name} ${value}`)].join(', ');
}
