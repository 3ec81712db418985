import type { StateMachine } from '../contract.js';
import type { CoreFault, CoreSettings } from '../core/contract.js';
import { KeyKeeper } from '../keys/keeper.js';
import { noWrapping } from '../keys/key-file.js';
import * as limits from '../limits.js';
import type { PeerTransport } from '../peers/contract.js';
import { ReadBarriers } from './barriers.js';
import { MembershipChanges } from './changes.js';
import type { RaftNodeOptions, RaftSettings } from './contract.js';
import { keyPath } from './disk-state.js';
import { Engine, type EngineEvents } from './engine.js';
import type { Flaw } from './flaws.js';
import { Leading } from './leading.js';
import type { Opened } from './opening.js';
import { noQuorum, notLeader, type Quorum, quorumOf } from './refusals.js';
import { Snapshots } from './snapshots.js';
import { quorumStaysWithout, type StayingOptions } from './staying.js';

/** What a node's parts tell it. */
export interface Owner {
  onLeads(leads: boolean): void;
  onChange(): void;
  onProgress(): void;
  onRemoved(): void;
  onNoSpace(error: Error): void;
  onFailed(error: unknown): void;
}

export interface AssemblyOptions extends Opened {
  options: RaftNodeOptions;
  machine: StateMachine;
  transport: PeerTransport;
  owner: Owner;
}

/** What a started node consists of. */
export interface Parts extends Opened {
  transport: PeerTransport;
  engine: Engine;
  leading: Leading;
  snapshots: Snapshots;
  changes: MembershipChanges;
  barriers: ReadBarriers;
  keeper: KeyKeeper;
  canRemove(raftId: bigint): boolean;
}

/** Puts a node's parts together. Nothing runs yet. */
export async function assemble(assembly: AssemblyOptions): Promise<Parts> {
  const { options, state, replica, transport, machine, owner } = assembly;
  const { clock, random, log, disk, directory, keyWrapping = noWrapping } = options;
  const { membership } = replica;
  // The parts know each other only through these, which are called when all are there.
  const events = eventsOf(assembly, () => parts);
  const engine = await Engine.start({ ...engineOptions(assembly), events });
  const quorum = () => reach(assembly);
  const leading = new Leading({ engine, machine, log: state.log, quorum, onLeads: owner.onLeads });
  const path = keyPath(directory);
  const wrapping = keyWrapping;
  const keeper = new KeyKeeper({ disk, path, random, keys: state.keys, wrapping });
  const snapshots = new Snapshots({
    clock,
    state,
    replica,
    settings: options.settings ?? {},
    flaws: options.flaws,
    log,
    keeper,
    writeSomething: () => engine.flush(),
    onSaved: (meta, compactTo) =>
      void engine.with((core) => {
        core.setSnapshot(meta);
        if (compactTo > 0n) core.compact(compactTo);
      }),
    onFailed: owner.onFailed,
  });
  const canRemove = (raftId: bigint) => canRemoveFrom(assembly, raftId);
  const staying: StayingOptions = {
    clock,
    raftId: assembly.raftId,
    voters: () => membership.voters,
    checkLeads: () => leading.checkLeads(),
    answersOf: (raftId) => engine.answersOf(raftId),
    timeoutMs: electionMs(options.settings),
  };
  const changes = new MembershipChanges({
    clock,
    random,
    membership,
    canRemove,
    quorumStaysWithout: (raftId) => quorumStaysWithout(raftId, staying),
    checkLeads: () => leading.checkLeads(),
    propose: (data) => engine.with((core) => core.proposeChange(data)) !== undefined,
    hasHeardFrom: (raftId) => engine.hasHeardFrom(raftId),
  });
  const barriers = new ReadBarriers({
    clock,
    random,
    request: (context) => engine.with((core) => core.requestRead(context)) ?? false,
    applied: () => replica.applied.index,
    refusal: () => noQuorum(quorum()),
  });
  const { raftId, joined } = assembly;
  const opened = { state, replica, raftId, joined };
  const parts: Parts = {
    ...{ ...opened, transport, engine, leading, snapshots, changes, barriers, keeper },
    canRemove,
  };
  return parts;
}

function engineOptions(assembly: AssemblyOptions) {
  const { options, state, replica, raftId, joined, transport } = assembly;
  const { random, clock, log, flaws, settings } = options;
  const tickMs = settings?.tickMs ?? limits.TICK_MS;
  const core: CoreSettings = coreSettings(settings);
  // It looks for none but its own.
  if (flaws) core.faults = flaws as ReadonlySet<Flaw> as ReadonlySet<CoreFault>;
  const shared = { state, replica, raftId, joined, transport };
  return { ...shared, settings: core, tickMs, random, clock, log, flaws };
}

/** An election timeout, ms: a leader hears its quorum within it, or steps down. */
function electionMs(settings: RaftSettings | undefined): number {
  const ticks = settings?.electionTicks ?? limits.ELECTION_TICKS;
  return ticks * (settings?.tickMs ?? limits.TICK_MS);
}

function coreSettings(settings: RaftSettings | undefined): CoreSettings {
  return {
    heartbeatTicks: settings?.heartbeatTicks ?? limits.HEARTBEAT_TICKS,
    electionTicks: settings?.electionTicks ?? limits.ELECTION_TICKS,
    preVote: settings?.preVote ?? true,
    checkQuorum: true,
    appendBytesMax: limits.APPEND_BYTES_MAX,
    inflightMax: limits.APPENDS_IN_FLIGHT_MAX,
    announcesCommits: false,
  };
}

function eventsOf(assembly: AssemblyOptions, parts: () => Parts): EngineEvents {
  const { owner, replica, raftId, options } = assembly;
  const { membership } = replica;
  const noteRemoval = () => {
    owner.onChange();
    if (membership.hasRemoved(raftId)) owner.onRemoved();
  };
  const end = (reason: Error) => {
    parts().changes.abort(reason);
    parts().leading.end(reason);
  };
  return {
    onDeposed: () => end(deposed(assembly, parts())),
    onNoSpace: (error) => {
      end(error);
      owner.onNoSpace(error);
    },
    onCommitted: (position) => {
      if (options.flaws?.has('snapshot-before-apply')) parts().snapshots.takeIfDue(position);
    },
    onApplied: (entry, changesMembers) => {
      parts().leading.applied(entry.index);
      parts().changes.applied(entry);
      if (changesMembers) noteRemoval();
    },
    onRestored: (position) => {
      parts().snapshots.noteReceived(position);
      noteRemoval();
    },
    onRead: (read) => parts().barriers.confirm(read),
    onProgress: () => {
      const { barriers, leading, snapshots } = parts();
      barriers.applied();
      leading.progressed();
      snapshots.takeIfDue();
      owner.onProgress();
    },
    onFailed: owner.onFailed,
  };
}

/** Why what was proposed is lost: there is another leader, or none for want of a quorum. */
function deposed(assembly: AssemblyOptions, { engine }: Parts): Error {
  return engine.status.leaderId === 0n ? noQuorum(reach(assembly)) : notLeader();
}

/** How many voters answer, as this node sees it. */
function reach({ replica, raftId, transport }: AssemblyOptions): Quorum {
  const { voters } = replica.membership;
  const isReachable = (id: bigint) => id === raftId || transport.isActive(id);
  const reachable = voters.filter(isReachable).length;
  return { reachable, members: voters.length, needed: quorumOf(voters.length) };
}

/**
 * Whether the others that answer are a quorum of what the cluster is without this member
 * (wire-raft.md 1.4).
 */
function canRemoveFrom({ replica, raftId, transport }: AssemblyOptions, removed: bigint): boolean {
  const others = replica.membership.voters.filter((id) => id !== removed);
  const reachable = others.filter((id) => id === raftId || transport.isActive(id)).length;
  return others.length > 0 && reachable >= quorumOf(others.length);
}
