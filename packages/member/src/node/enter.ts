import { enrol, fetchProtection, NodeIdentityStore } from '../identity/index.js';
import { Remotes } from '../remotes/index.js';
import { type Joining, type SwarmState, SwarmStateFile } from '../state/state-file.js';
import { hostOf, portOf } from './address.js';
import { found } from './founding.js';
import { type MemberOptions, SwarmMember } from './member.js';
import type { FoundRequest, JoinRequest } from './requests.js';

/** Makes a swarm of one. Resolves when its manager answers; rejects, with nothing left on disk, when it cannot. */
export async function foundSwarm(
  options: MemberOptions,
  request: FoundRequest,
): Promise<SwarmMember> {
  const { listenAddress, advertiseAddress, dataPathAddress } = request;
  const state = { listenAddress, advertiseAddress, dataPathAddress };
  const file = new SwarmStateFile(options.disk, options.directory);
  await file.prepare();
  const parts = await openParts(options, state);
  const { founding, identity } = found(request, options);
  await parts.identity.adopt(identity);
  const member = await SwarmMember.start(options, parts, { entry: { kind: 'found' }, founding });
  try {
    if (member.problem !== undefined) throw new Error(member.problem);
    await member.untilReady();
    // Last: a crash before leaves leftovers, not half a member.
    await file.write(state);
    return member;
  } catch (error) {
    await member.leave();
    throw error;
  }
}

/** Writes down an attempt to join, so that it goes on after a restart. */
export async function beginJoining(options: MemberOptions, request: JoinRequest): Promise<void> {
  const { listenAddress, advertiseAddress, dataPathAddress, availability } = request;
  const { remoteAddresses, joinToken: token } = request;
  const file = new SwarmStateFile(options.disk, options.directory);
  await file.prepare();
  const joining = { remoteAddresses, token, availability };
  await file.write({ listenAddress, advertiseAddress, dataPathAddress, joining });
}

/**
 * Gets this node an identity in the swarm, by the attempt that was begun, and puts it to work. Rejects when
 * managers refuse it or none can be reached; the attempt may then be repeated or given up.
 */
export async function joinSwarm(
  options: MemberOptions,
  state: SwarmState & { joining: Joining },
  signal: AbortSignal,
): Promise<SwarmMember> {
  const { clock, random, disk, directory } = options;
  const { joining, ...joined } = state;
  const parts = await openParts(options, joined);
  const { dialer } = parts.doors;
  if (parts.identity.state === 'none') {
    const addresses = joining.remoteAddresses;
    const isOwnAddress = (address: string) =>
      options.isOwnHost(hostOf(address)) && portOf(address) === portOf(state.listenAddress);
    const { token, availability } = joining;
    const shared = { dialer, clock, random, signal };
    const enrolment = await enrol({ ...shared, addresses, token, availability, isOwnAddress });
    const { rootPem, credentials } = enrolment;
    const identity = { ...credentials, rootPem };
    let turn = 0;
    const pick = () => ({ address: addresses[turn++ % addresses.length]! });
    const protection =
      enrolment.role === 'manager'
        ? await fetchProtection({ dialer, clock, signal, identity, pick })
        : undefined;
    await parts.identity.adopt({ credentials, rootPem, ...(protection ? { protection } : {}) });
  }
  await parts.remotes.add(joining.remoteAddresses);
  await new SwarmStateFile(disk, directory).write(joined);
  return await SwarmMember.start(options, parts);
}

/** What a member is made of, as far as the last run left it. */
export type Parts = Parameters<typeof SwarmMember.start>[1];

export async function openParts(
  options: MemberOptions,
  state: SwarmState,
  unlockKey?: Uint8Array,
): Promise<Parts> {
  const { clock, random, disk, log: logger, directory } = options;
  const identity = await NodeIdentityStore.open({ disk, clock, random, directory, unlockKey });
  const remotes = await Remotes.open({ disk, directory, random, logger });
  return { identity, remotes, state, doors: options.doors(identity) };
}
