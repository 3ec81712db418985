import { setTimeout as sleep } from 'node:timers/promises';
import { using } from '../lib/cleanup.mjs';
import { Lab } from '../lib/lab.mjs';
import { median, ms } from '../lib/stats.mjs';
import { Swarm } from '../lib/swarm.mjs';

const NODES = 3;
/** Before each round: what the one before left to be tidied up is not this one's, which is another engine's. */
const SETTLE_MS = 1_000;

/**
 * Swarms of three machines, one of skepd and one of dockerd, measured in turns: each round of one
 * is followed by one of the other, so that both see the machine as it is just then. `measure` is
 * given a swarm and one of the cases. Resolves with ms of all rounds, by case, then by engine.
 */
export function compareSwarms({ managers, rounds, hasDockerd, prepare, cases, measure }) {
  return using(new Lab(), async (lab) => {
    const engines = hasDockerd ? ['skepd', 'dockerd'] : ['skepd'];
    const swarms = {};
    for (const engine of engines) {
      const prefix = engine.slice(0, 1);
      swarms[engine] = await Swarm.form(lab, { engine, prefix, count: NODES, managers });
      await prepare?.(swarms[engine]);
    }
    const times = {};
    for (const which of cases) {
      times[which] = Object.fromEntries(engines.map((engine) => [engine, []]));
      for (let round = 0; round < Math.max(...Object.values(rounds)); round++) {
        for (const engine of engines.filter((name) => round < rounds[name])) {
          await sleep(SETTLE_MS);
          const timeMs = await measure(swarms[engine], which);
          times[which][engine].push(timeMs);
          console.error(`  ${engine}, ${which}: ${ms(timeMs)}`);
        }
      }
    }
    return times;
  });
}

/**
 * The same for one manager and two workers that have the image, after a small round that does not count.
 * `prepare` makes what the swarms need besides; `rounds` are more where they differ much.
 */
export function compareThreeNodes({ quick, hasDockerd, prepare, cases, measure, rounds = 5 }) {
  const count = quick ? 2 : rounds;
  return compareSwarms({
    managers: 1,
    rounds: { skepd: count, dockerd: count },
    hasDockerd,
    prepare: async (swarm) => {
      await pullEverywhere(swarm);
      await prepare?.(swarm);
      await measure(swarm, swarm.nodes.length);
    },
    cases,
    measure,
  });
}

/** Medians of one case's rounds, skepd's and then dockerd's where it was measured. */
export function medians(times, which) {
  const { skepd, dockerd } = times[which];
  return [median(skepd), dockerd && median(dockerd)];
}

/** Puts the image on every node, as a pull that the first round would pay for. */
export async function pullEverywhere(swarm) {
  const image = await swarm.lab.image();
  await Promise.all(swarm.nodes.map(({ engine }) => engine.pull(image)));
}
