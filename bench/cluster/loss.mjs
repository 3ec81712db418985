import { median, quantile } from '../lib/stats.mjs';
import { row } from '../lib/table.mjs';
import { compareSwarms } from './engines.mjs';

/**
 * How a node is lost: methods of the lab. Who is killed closes connections, which others see at
 * once; of who is cut off nobody hears.
 */
const FAULTS = [
  { fault: 'kill', label: 'killed', hasGoal: true },
  { fault: 'disconnect', label: 'cable pulled', hasGoal: false },
];
const QUICK_ROUNDS = { skepd: 3, dockerd: 1 };

/** A part that loses a node again and again and measures how long the swarm does without. */
export function loss({ name, title, managers, prepare, measure, rounds, goalMs }) {
  const run = async ({ quick, hasDockerd }) => {
    const times = await compareSwarms({
      managers,
      rounds: quick ? QUICK_ROUNDS : rounds,
      hasDockerd,
      prepare,
      cases: FAULTS.map(({ fault }) => fault),
      measure,
    });
    return FAULTS.flatMap(({ fault, label, hasGoal }) => {
      const { skepd, dockerd } = times[fault];
      const goal = hasGoal ? { most: goalMs } : undefined;
      const of = (q) => [quantile(skepd, q), dockerd && quantile(dockerd, q)];
      return [
        row(`${label}, median`, median(skepd), dockerd && median(dockerd)),
        row(`${label}, p99 of ${skepd.length}`, ...of(0.99), { goal }),
      ];
    });
  };
  return { name, title, peer: 'dockerd', run };
}
