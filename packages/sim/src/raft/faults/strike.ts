import { partition } from '../../net/index.js';
import type { RaftMachine } from '../machine.js';
import type { RaftWorld } from '../world.js';
import { describeFault, type Fault, type Target } from './contract.js';
import { addMachine, removeMachine, replaceMachine, transferLeadership } from './membership.js';

/** How long a stopped program is left before whoever supervises it starts it again, ms. */
export const RESTART_MS = 500;
/** A program that is told to stop by its disk must have done so by then, ms (reliability.md 4, R7). */
const STOP_WITHIN_MS = 1_000;
const CLOG_PIECES = 3;

/** Makes a fault happen now, and its end later. */
export function strike(world: RaftWorld, fault: Fault): void {
  const target = 'target' in fault ? machineFor(world, fault.target) : undefined;
  world.note('fault', `${describeFault(fault)}${target ? ` (${target.name})` : ''}`);
  switch (fault.kind) {
    case 'crash-all':
      world.machines.forEach((machine, at) => {
        machine.die(fault.how);
        world.startLater(machine, fault.downMs[at % fault.downMs.length] ?? 0);
      });
      return;
    case 'add':
      addMachine(world);
      return;
    default:
      if (target) strikeMachine(world, target, fault);
  }
}

type TargetedFault = Exclude<Fault, { kind: 'crash-all' } | { kind: 'add' }>;

function strikeMachine(world: RaftWorld, target: RaftMachine, fault: TargetedFault): void {
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
    case 'pause':
      pause(world, target, fault);
      return;
    case 'partition':
      world.repairs.after(
        fault.forMs,
        partition(world.links, fault.shape, world.namesFrom(target)),
      );
      return;
    case 'clog':
      clog(world, target, fault.forMs);
      return;
    case 'clock-jump':
      target.life?.clock.jump(fault.byMs);
      return;
    case 'transfer':
      transferLeadership(world, target);
      return;
    case 'remove':
      removeMachine(world, target, fault.staysMs);
      return;
    case 'replace':
      replaceMachine(world, target);
      return;
    default:
      strikeDisk(world, target, fault);
      return;
  }
}

type DiskFault = Extract<
  Fault,
  { kind: 'sync-error' } | { kind: 'disk-full' } | { kind: 'slow-disk' } | { kind: 'bit-flip' }
>;

function strikeDisk(world: RaftWorld, target: RaftMachine, fault: DiskFault): void {
  switch (fault.kind) {
    case 'sync-error':
      failSync(world, target, fault.after);
      return;
    case 'disk-full': {
      const used = target.disk.durableFiles().reduce((sum, { size }) => sum + size, 0);
      target.disk.capacityBytes = used;
      world.repairs.after(fault.forMs, () => {
        target.disk.capacityBytes = Number.POSITIVE_INFINITY;
      });
      return;
    }
    case 'slow-disk':
      target.slowerByMs = fault.byMs;
      world.repairs.after(fault.forMs, () => {
        target.slowerByMs = 0;
      });
      return;
    case 'bit-flip':
      flipBit(world, target, fault);
      return;
  }
}

function machineFor(world: RaftWorld, target: Target): RaftMachine | undefined {
  const machines = world.machines.filter(({ isRetired }) => !isRetired);
  if (target === 'leader') return world.leader ?? machines[0];
  return machines[target % machines.length];
}

function pause(
  world: RaftWorld,
  target: RaftMachine,
  { how, forMs }: Extract<Fault, { kind: 'pause' }>,
): void {
  const clock = target.life?.clock;
  if (!clock || clock.isPaused) return;
  clock.pause(how);
  world.repairs.after(forMs, () => {
    if (clock.isDead) return;
    clock.resume();
    world.note(target.name, 'goes on');
  });
}

function clog(world: RaftWorld, target: RaftMachine, forMs: number): void {
  const others = world.namesFrom(target).slice(1);
  // Swizzle: some ways at first, others later.
  others.forEach((other, at) => {
    const heldMs = (forMs * ((at % CLOG_PIECES) + 1)) / CLOG_PIECES;
    world.links.clog(target.name, other, heldMs);
    world.links.clog(other, target.name, forMs - heldMs / 2);
  });
}

function failSync(world: RaftWorld, target: RaftMachine, after: number): void {
  const life = target.life;
  if (!life) return;
  target.hasDiskFaults = true;
  target.disk.injectFault({
    ...{ code: 'EIO', operation: 'datasync', after },
    onStrike: (path) => {
      world.note(target.name, `has a sync of ${path} fail`);
      // Room that is reserved ahead holds nothing yet: it is dropped, and made anew.
      if (target.life !== life || path.includes('spare')) return;
      life.clock.after(STOP_WITHIN_MS, () => {
        world.violate('stop-on-sync-error', `${target.name} goes on after a failed sync`);
      });
    },
  });
}

function flipBit(
  world: RaftWorld,
  target: RaftMachine,
  { file, place, downMs }: Extract<Fault, { kind: 'bit-flip' }>,
): void {
  target.die('power');
  world.startLater(target, downMs);
  const files = target.disk.durableFiles().filter(({ written }) => written > 0);
  const chosen = files[Math.floor(file * files.length)];
  if (!chosen || world.voterCount < 3 || world.isShort) return;
  const offset = Math.floor(place * chosen.written);
  target.disk.flipBits(chosen.path, offset);
  target.isDamaged = true;
  world.note(target.name, `has a bit of ${chosen.path} turn over at ${offset}`);
}
