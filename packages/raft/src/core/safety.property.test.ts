import { InvariantError, SimRandom } from '@skep/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CoreFault, CoreSettings } from './contract.js';
import {
  type Event,
  RandomNetwork,
  randomEvent,
  STORM,
  WEIGHTS,
  type Weights,
} from './testing/random-network.js';

/*
 * Raft's five safety properties (figure 3 of the paper) over random networks: messages lost,
 * repeated and reordered, crashes between a write and the next, partitions, changes of membership,
 * compaction, transfers, reads.
 */

const SETTINGS: Record<string, Partial<CoreSettings>> = {
  'as dockerd has it': { checkQuorum: true },
  'as we have it': { checkQuorum: true, preVote: true, announcesCommits: false },
  'with small appends': { checkQuorum: true, preVote: true, appendBytesMax: 40, inflightMax: 2 },
  plain: {},
};

const SEEDS = 40;
const EVENTS = 1500;

interface Run {
  settings: Partial<CoreSettings>;
  seed: number;
  votersMin: number;
}

function run({ settings, seed, votersMin }: Run): RandomNetwork {
  const random = new SimRandom(seed);
  const voters = [1, 3, 3, 4, 5][seed % 5]!;
  const network = new RandomNetwork({ settings, seed, voters, idsMax: 6, votersMin });
  for (let count = 0; count < EVENTS; count++) network.run(randomEvent(random));
  return network;
}

describe('a random network of cores', () => {
  for (const [name, settings] of Object.entries(SETTINGS)) {
    it(`is safe, and comes to rest when faults end: ${name}`, () => {
      let applied = 0n;
      for (let seed = 1; seed <= SEEDS; seed++) {
        const network = run({ settings, seed, votersMin: 2 });
        network.recover();
        applied += network.checker.lastApplied;
      }
      // Else nothing was shown.
      expect(applied).toBeGreaterThan(BigInt(SEEDS * 20));
    });
  }

  it('is safe when it shrinks to one', () => {
    const settings = { checkQuorum: true, preVote: true };
    for (let seed = 1; seed <= SEEDS; seed++) run({ settings, seed, votersMin: 1 });
  });

  it('is safe under any events (and shrinks to the fewest)', () => {
    const kinds = (Object.keys(WEIGHTS) as Event['kind'][]).map((kind) => ({
      weight: WEIGHTS[kind],
      arbitrary: fc.constant(kind),
    }));
    const event = fc.record({
      kind: fc.oneof(...kinds),
      first: fc.nat(0xffff),
      second: fc.nat(0xffff),
    });
    const property = fc.property(fc.array(event, { maxLength: 300, size: 'max' }), (events) => {
      const settings = { checkQuorum: true, preVote: true };
      const network = new RandomNetwork({ settings, seed: 1, voters: 3, idsMax: 5, votersMin: 2 });
      network.cluster.campaign(1n);
      for (const each of events) network.run(each);
      network.recover();
    });
    fc.assert(property, { numRuns: 100 });
  });

  interface FaultyNetwork {
    settings?: Partial<CoreSettings>;
    idsMax?: number;
    weights?: Weights;
  }
  /** Each with a network in which its effect is not too rare. */
  const faults: Record<CoreFault, FaultyNetwork> = {
    'change-before-own-term': { idsMax: 5, weights: STORM },
    'commit-former-terms': { settings: { appendBytesMax: 1 }, weights: STORM },
    'acknowledge-before-durable': {},
    'read-without-quorum': {},
    'take-old-snapshot': {},
    'vote-twice': {},
  };
  for (const [fault, { settings, idsMax = 0, weights }] of Object.entries(faults)) {
    it(`is not safe, and that is noticed, with the fault ${fault}`, () => {
      const runAll = () => {
        for (let seed = 1; seed <= 1500; seed++) {
          const random = new SimRandom(seed);
          const network = new RandomNetwork({
            settings: { ...settings, faults: new Set([fault as CoreFault]) },
            seed,
            voters: 3,
            idsMax,
            votersMin: 2,
          });
          for (let count = 0; count < 1000; count++) network.run(randomEvent(random, weights));
        }
      };
      expect(runAll).toThrow(InvariantError);
    }, 20_000);
  }
});
