import type { ExternalAuthority } from '@skep/ca';
import {
  Allocator,
  CertificateAuthority,
  ConstraintEnforcer,
  type Control,
  type ControlLoop,
  createControl,
  Dispatcher,
  Images,
  KeyManager,
  LogBroker,
  type LoopOptions,
  type ManagerMember,
  type ManagerMembers,
  type ManagerPeer,
  Networks,
  Orchestrator,
  ResourceAllocator,
  RestartSupervisor,
  RoleManager,
  Scheduler,
  type SwarmFlaws,
  TaskReaper,
  Updater,
  VersionKeeper,
} from '@skep/manager';
import { RaftMemberStatus_Reachability } from '@skep/wire/swarmkit';
import { withFreshReads } from './fresh-reads.js';

export interface LeaderRoomsOptions extends LoopOptions {
  nodeId: string;
  members: ManagerMembers;
  newJoinToken(rootCertificate: Uint8Array): string;
  /** Authorities elsewhere that a swarm may have its certificates signed by. */
  external: ExternalAuthority;
  /** Subnets in use on this manager's host, as CIDRs: new networks keep clear of them. */
  hostSubnets?(): readonly string[];
  /** Resolves when this manager is known to have led at the time of the call. */
  readBarrier(): Promise<void>;
  /** Known bugs, for the simulator. */
  flaws?: SwarmFlaws | undefined;
}

/**
 * What only the leader has: the control loops, and the services whose state is in no store. Made anew for each
 * time of leading, so that nothing is carried over from an earlier one.
 */
export class LeaderRooms {
  readonly control: Control;
  readonly dispatcher: Dispatcher;
  readonly logBroker: LogBroker;
  readonly authority: CertificateAuthority;
  readonly resources: ResourceAllocator;
  readonly networks: Networks;
  readonly images: Images;
  readonly #loops: readonly ControlLoop[];
  readonly #forgetMembers: () => void;

  constructor(options: LeaderRoomsOptions) {
    const { members, nodeId } = options;
    this.control = withFreshReads(createControl(options), options.readBarrier);
    this.logBroker = new LogBroker(options);
    this.resources = new ResourceAllocator(options);
    this.authority = new CertificateAuthority(options);
    this.networks = new Networks(options);
    this.images = new Images(options);
    this.dispatcher = new Dispatcher({
      ...options,
      nodeId,
      managers: () => members.list().map(asPeer),
    });
    this.#forgetMembers = members.onChange(() => this.dispatcher.refreshManagers());
    this.#loops = [
      this.dispatcher,
      this.logBroker,
      this.authority,
      this.networks,
      new Allocator(options),
      new Scheduler(options),
      new Orchestrator(options),
      new RestartSupervisor(options),
      new Updater(options),
      new VersionKeeper(options),
      new ConstraintEnforcer(options),
      new TaskReaper(options),
      new KeyManager(options),
      new RoleManager(options),
    ];
  }

  start(): void {
    for (const loop of this.#loops) loop.start();
  }

  /** Resolves when nothing of it runs any more. Nodes are sent to look for another manager. */
  async stop(): Promise<void> {
    this.#forgetMembers();
    for (const loop of this.#loops.toReversed()) await loop.stop();
  }
}

function asPeer({ nodeId, address, reachability }: ManagerMember): ManagerPeer {
  const isReachable = reachability === RaftMemberStatus_Reachability.REACHABLE;
  return { nodeId, addr: address, isReachable };
}
