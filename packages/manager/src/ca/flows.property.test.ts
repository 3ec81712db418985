import { verifyNodeCertificate } from '@skep/ca';
import { IssuanceStatus_State } from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SimRoom } from '../testing/room.sim.js';
import { SimAuthority, SimMember } from './authority.sim.js';

const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant('commit' as const) },
  { weight: 3, arbitrary: fc.constant('wait' as const) },
  { weight: 2, arbitrary: fc.constant('join' as const) },
  { weight: 1, arbitrary: fc.constant('rotate' as const) },
  { weight: 1, arbitrary: fc.constant('lose leadership' as const) },
  { weight: 1, arbitrary: fc.constant('wait long' as const) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Nodes join and renew while roots rotate, the log is slow, and leaders come and go. */
class Swarm {
  readonly members: SimMember[] = [];
  readonly #room: SimRoom;
  readonly #sim: SimAuthority;

  private constructor(room: SimRoom, sim: SimAuthority) {
    this.#room = room;
    this.#sim = sim;
  }

  static async start(): Promise<Swarm> {
    const room = new SimRoom({ automatic: false });
    return new Swarm(room, await SimAuthority.start(undefined, room));
  }

  async do(step: Step): Promise<void> {
    const { clock, proposer } = this.#room;
    if (step === 'commit') proposer.commit();
    if (step === 'join') this.#join();
    if (step === 'rotate') void this.#sim.rotate().catch(() => {});
    if (step === 'lose leadership') await this.#changeLeader();
    await clock.advance(step === 'wait' ? 3_000 : step === 'wait long' ? 20_000 : 0);
    this.#check();
  }

  #join(): void {
    void SimMember.join(this.#sim).then(
      (member) => this.members.push(member),
      () => {},
    );
  }

  async #changeLeader(): Promise<void> {
    this.#room.proposer.lose(new Error('no longer the leader'));
    await this.#sim.authority.stop();
    this.#sim.authority.start();
  }

  /** Every certificate in the store is its node's, and one that the swarm's roots vouch for. */
  #check(): void {
    for (const { id, certificate } of this.#room.store.view.all('node')) {
      expect(certificate.status?.state).not.toBe(IssuanceStatus_State.FAILED);
      if (certificate.status?.state !== IssuanceStatus_State.ISSUED) continue;
      expect(this.#sim.identityOf(id)).toMatchObject({ nodeId: id, role: 'worker' });
    }
  }

  /** With a leader that stays, and once those are removed that nobody is, all comes to its end. */
  async comesToRest(): Promise<void> {
    await this.#quiet();
    const { store, clock } = this.#room;
    const claimed = new Set(this.members.map(({ id }) => id));
    for (const { id } of [...store.view.all('node')]) {
      if (!claimed.has(id)) void store.update((tx) => tx.remove('node', id));
    }
    await this.#quiet();
    expect(this.#sim.cluster.rootCa.rootRotation).toBeUndefined();
    for (const { id } of this.members) {
      const chain = Buffer.from(this.#sim.certificateOf(id).certificate).toString();
      verifyNodeCertificate(chain, this.#sim.rootPem, clock.now());
    }
    await this.#sim.authority.stop();
  }

  async #quiet(): Promise<void> {
    for (let second = 0; second < 60; second++) {
      for (let round = 0; round < 4; round++) {
        this.#room.proposer.commit();
        await this.#room.settle();
      }
      await this.#room.clock.advance(1_000);
    }
  }
}

it('gives every node its certificate, whatever comes between', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const swarm = await Swarm.start();
      for (const step of steps) await swarm.do(step);
      await swarm.comesToRest();
    }),
    { numRuns: 40 },
  );
}, 60_000);
