// Runs seeds of the simulator in processes side by side, and tells what broke and how to see it again.
//   node scripts/sim.mjs --seed 42 [--kind raft] [--trace] [--keep 0,3] [--only pause,crash] [--flaw NAME]
//   node scripts/sim.mjs --seeds 1..500 [--limit-seconds 180]
//   node scripts/sim.mjs --minutes 30
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { fail, root } from './lib.mjs';

/** Real time after which a seed is taken to hang. */
const SEED_TIMEOUT_MS = 120_000;
const PROCESSES_MAX = 4;
/** Failures that are shrunk and told of in full; more say nothing new. */
const FAILURES_TOLD_MAX = 3;
const LAST_EVENTS = 40;
const WHOLE_TRACE_EVENTS = 10_000_000;
const REQUIRE =
  "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);";

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    kind: { type: 'string' },
    'limit-seconds': { type: 'string' },
    trace: { type: 'boolean' },
    keep: { type: 'string' },
    only: { type: 'string' },
    flaw: { type: 'string', multiple: true },
  },
});

/** The sources as they are now, packed: nothing has to be built first. */
async function bundleWorker() {
  const outfile = `${root}/packages/sim/dist/worker.bundle.mjs`;
  await build({
    absWorkingDir: root,
    entryPoints: ['packages/sim/src/run/worker.ts'],
    conditions: ['skep-source'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    banner: { js: REQUIRE },
    sourcemap: 'linked',
    logLevel: 'error',
  });
  return outfile;
}

function seedRange() {
  if (options.seed) return [Number(options.seed), Number(options.seed)];
  if (options.seeds) return options.seeds.split('..').map(Number);
  if (!options.minutes) return [1, 500];
  const first = Math.floor(Date.now() / 1000) % 1_000_000_000;
  return [first, Number.POSITIVE_INFINITY];
}

function replayCommand({ kind, seed, faults }, isShrunk) {
  const keep = isShrunk ? ` --keep ${faults.join(',') || 'none'}` : '';
  const only = options.only ? ` --only ${options.only}` : '';
  const flaws = (options.flaw ?? []).map((flaw) => ` --flaw ${flaw}`).join('');
  return `npm run sim -- --kind ${kind} --seed ${seed}${only}${keep}${flaws} --trace`;
}

function tell(outcome, isShrunk) {
  const { failure, seed } = outcome;
  const events = options.trace ? failure.lastEvents : failure.lastEvents.slice(-LAST_EVENTS);
  console.error(`\nseed ${seed}${isShrunk ? ', shrunk' : ''}: ${failure.message}`);
  console.error(['  the scenario:', ...failure.scenario].join('\n    '));
  console.error(['  the last events:', ...events].join('\n    '));
  console.error(`  again: ${replayCommand(outcome, isShrunk)}`);
}

class Campaign {
  #next;
  #last;
  #endMs;
  #failures = 0;
  #done = 0;
  #events = 0;
  #seedMs = 0;
  #startMs = performance.now();

  constructor([first, last]) {
    this.#next = first;
    this.#last = last;
    const seconds = options['limit-seconds'] ?? (options.minutes ? options.minutes * 60 : Infinity);
    this.#endMs = this.#startMs + seconds * 1000;
  }

  async run(worker) {
    const processes = Math.min(PROCESSES_MAX, availableParallelism(), this.#last - this.#next + 1);
    await Promise.all(Array.from({ length: processes }, () => this.#serve(worker)));
    const seconds = (performance.now() - this.#startMs) / 1000;
    const perSeed = Math.round(this.#seedMs / Math.max(1, this.#done));
    console.log(
      `${this.#done} seeds in ${seconds.toFixed(1)} s, ${perSeed} ms each, ${this.#events} events; ` +
        `${this.#failures} failed`,
    );
    if (this.#next <= this.#last && !options.minutes) {
      throw new Error(`the time was over before seed ${this.#last}`);
    }
    if (this.#failures > 0) throw new Error('the simulator found something');
  }

  /** One process, from its first seed to its last; a process that hangs costs its seed, no more. */
  #serve(worker) {
    return new Promise((resolve, reject) => {
      const child = fork(worker, { execArgv: ['--enable-source-maps'] });
      let seed;
      let startMs;
      let timer;
      const give = () => {
        clearTimeout(timer);
        if (this.#next > this.#last || performance.now() > this.#endMs) return child.disconnect();
        seed = this.#next++;
        startMs = performance.now();
        timer = setTimeout(() => child.kill('SIGKILL'), SEED_TIMEOUT_MS);
        child.send({ seed, options: this.#seedOptions(), shrinks: this.#shrinks });
      };
      child.on('message', ({ outcome, shrunk, idle, refused }) => {
        if (outcome) this.#take(outcome, performance.now() - startMs);
        if (shrunk) tell(shrunk, true);
        if (idle) give();
        if (refused) reject(new Error(refused));
      });
      child.on('exit', (code, signal) => {
        clearTimeout(timer);
        if (code === 0) return resolve();
        this.#failures++;
        console.error(`\nseed ${seed}: its process ended (${signal ?? code}); a hang, most likely`);
        resolve(this.#serve(worker));
      });
      give();
    });
  }

  get #shrinks() {
    return this.#failures < FAILURES_TOLD_MAX && !options.trace && !options.keep;
  }

  #seedOptions() {
    const keptEvents = options.trace ? WHOLE_TRACE_EVENTS : LAST_EVENTS;
    const kept = options.keep?.split(',').filter((place) => place !== 'none');
    const keptFaults = kept && { keptFaults: kept.map(Number) };
    const kind = options.kind && { kind: options.kind };
    const only = options.only && { onlyFaults: options.only.split(',') };
    return { keptEvents, ...keptFaults, ...kind, ...only, flaws: options.flaw ?? [] };
  }

  #take(outcome, tookMs) {
    this.#done++;
    this.#seedMs += tookMs;
    this.#events += outcome.events;
    if (options.seed) {
      console.log(`seed ${outcome.seed}: hash ${outcome.hash}, ${outcome.events} events`);
    }
    if (!outcome.failure) return;
    this.#failures++;
    if (this.#failures <= FAILURES_TOLD_MAX) tell(outcome, false);
    else console.error(`seed ${outcome.seed}: ${outcome.failure.message.split('\n')[0]}`);
  }
}

try {
  await new Campaign(seedRange()).run(await bundleWorker());
} catch (error) {
  fail(error);
}
