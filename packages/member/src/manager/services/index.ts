import type { Health, WatchService } from '@skep/manager';
import type { Clock } from '@skep/platform';
import type { RaftNode } from '@skep/raft';
import { type BoundService, type Dialer, LeaderProxy, type LeaderSource } from '@skep/rpc';
import { forwardedServices, type Rooms, userServices } from './leader-services.js';
import { localServices } from './local-services.js';
import { membershipService } from './membership.js';
import { peersService, raftService } from './raft-service.js';

export interface ManagerServicesOptions {
  rooms: Rooms;
  leader: LeaderSource;
  /** `ip:port` of this manager. */
  ownAddress: string;
  raft: RaftNode;
  health: Health;
  watch: WatchService;
  clock: Clock;
  dialer: Dialer;
}

/** All that a manager serves to other nodes (wire.md 1.2). */
export function managerServices(options: ManagerServicesOptions): BoundService[] {
  const { clock, dialer, health, leader, ownAddress, raft, rooms, watch } = options;
  const proxy = new LeaderProxy({ clock, leader, ownAddress });
  const forwarded = [...forwardedServices(rooms), membershipService({ raft, dialer })];
  return [
    ...forwarded.map((service) => proxy.wrap(service)),
    ...userServices(rooms),
    ...localServices(health, watch),
    raftService(raft),
    peersService(raft),
  ];
}
