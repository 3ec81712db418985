import { errorMessage } from '@skep/platform';
import { throwIfBroken } from '../invariants.js';
import type { Life, RaftMachine } from '../machine.js';
import type { RaftWorld } from '../world.js';

/** Smallest number of voters of which one may be lost for good. */
const REPLACE_VOTERS_MIN = 3;
const REPLACE_TRIES_MAX = 40;
const REPLACE_RETRY_MS = 500;

/** Machines that may be joining at a time: so few that the others are a quorum without them. */
const JOINING_MAX = 2;

/** A new machine joins. */
export function addMachine(world: RaftWorld): void {
  if (!world.leader || !world.mayChangeMembers) return;
  if (world.machines.some(({ isDamaged }) => isDamaged)) return;
  if (world.joiningCount >= JOINING_MAX) return;
  world.addMachine().start();
}

/** Asks the leader to give its place to another. */
export function transferLeadership(world: RaftWorld, target: RaftMachine): void {
  const leader = world.leader?.life;
  if (!leader) return;
  const to = target.life === leader ? undefined : target.life?.node.status.raftId;
  void attempt(world, leader, () => leader.node.transferLeadership(to));
}

/** Removes a member, which goes on for a while, as one does that has not heard of it. */
export function removeMachine(world: RaftWorld, target: RaftMachine, staysMs: number): void {
  const leader = world.leader?.life;
  const raftId = target.life?.node.status.raftId;
  if (!leader || !raftId || !world.mayChangeMembers || !canRemove(leader, raftId)) return;
  world.mayChangeMembers = false;
  void attempt(world, leader, () => leader.node.removeMember(raftId)).then((isDone) => {
    // What became of it otherwise is not known: no other change then, that counts on either.
    if (!isDone) return;
    world.mayChangeMembers = true;
    target.isRetired = true;
    world.timeline.after(staysMs, () => target.die('kill'));
  });
}

/** What is refused at once must not count as a change whose outcome is unknown. */
function canRemove(leader: Life, raftId: bigint): boolean {
  try {
    return leader.node.canRemove(raftId);
  } catch (error) {
    throwIfBroken(leader.name, error);
    return false;
  }
}

/** Loses a machine with its disk, removes it from the cluster, and has a new one join. */
export function replaceMachine(world: RaftWorld, target: RaftMachine): void {
  const raftId = target.life?.node.status.raftId;
  if (!raftId || !world.mayChangeMembers || world.voterCount < REPLACE_VOTERS_MIN) return;
  if (world.isShort || world.machines.some(({ isRetired }) => isRetired)) return;
  world.mayChangeMembers = false;
  target.isRetired = true;
  target.die('power');
  void world.watch(replace(world, raftId));
}

/** Removes a member that is gone, whoever leads, and adds a new one. */
export async function replace(world: RaftWorld, raftId: bigint): Promise<void> {
  for (let tries = 0; tries < REPLACE_TRIES_MAX; tries++) {
    await world.timeline.sleep(REPLACE_RETRY_MS);
    const leader = world.leader?.life;
    if (!leader || leader.clock.isPaused) continue;
    const isMember = leader.node.status.members.some((member) => member.raftId === raftId);
    const isDone =
      !isMember || (await attempt(world, leader, () => leader.node.removeMember(raftId)));
    if (!isDone) continue;
    world.mayChangeMembers = true;
    world.addMachine().start();
    return;
  }
}

/** Whether it was done for certain. */
async function attempt(
  world: RaftWorld,
  life: Life,
  action: () => Promise<unknown>,
): Promise<boolean> {
  const outcome = new Promise<boolean>((resolve, reject) => {
    void life.ended.then(() => resolve(false));
    life.clock.whenAwake(() => {
      action().then(
        () => resolve(true),
        (error) => {
          world.note(life.name, `refuses: ${errorMessage(error)}`);
          try {
            throwIfBroken(life.name, error);
            resolve(false);
          } catch (broken) {
            reject(broken);
          }
        },
      );
    });
  });
  world.changesUnderWay++;
  const isDone = await world.watch(outcome);
  world.changesUnderWay--;
  return isDone ?? false;
}
