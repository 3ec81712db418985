// A task's network sandbox: time to make and remove one, beside what spawned `ip` needs.
// Runs in a network namespace of its own; needs root.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Room, requestOf } from './network/room.mjs';

const ROUNDS = 100;
const PARALLEL = 8;

const quantile = (samples, share) =>
  samples.toSorted((a, b) => a - b)[Math.floor(share * (samples.length - 1))];
const show = (label, samples) => {
  const [p50, p90] = [0.5, 0.9].map((share) => quantile(samples, share).toFixed(2));
  console.log(`${label.padEnd(58)} p50 ${p50.padStart(7)} ms   p90 ${p90.padStart(7)} ms`);
};
async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function measureSandboxes(networking) {
  const [up, down, both] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const upMs = await timed(() => networking.setUp(requestOf(0)));
    const downMs = await timed(() => networking.tearDown('t0'));
    up.push(upMs);
    down.push(downMs);
    both.push(upMs + downMs);
  }
  show('task sandbox: set up', up);
  show('task sandbox: tear down', down);
  show('task sandbox: both (goal 10 ms)', both);
  const numbers = Array.from({ length: PARALLEL }, (_, number) => number);
  const together = [];
  for (let round = 0; round < ROUNDS / PARALLEL; round++) {
    const ms = await timed(async () => {
      await Promise.all(numbers.map((number) => networking.setUp(requestOf(number))));
      await Promise.all(numbers.map((number) => networking.tearDown(`t${number}`)));
    });
    together.push(ms / PARALLEL);
  }
  show(`the same, ${PARALLEL} at once, each`, together);
}

/** The same links, addresses and routes by three spawned programs. */
function measureSpawned(directory) {
  const samples = [];
  const batch = join(directory, 'batch');
  const inner = join(directory, 'inner');
  writeFileSync(
    batch,
    `link add bench0 up master skep_gw type veth peer name eth1 netns bench
     link add bench1 up master skep0 type veth peer name eth0 netns bench`,
  );
  writeFileSync(
    inner,
    `link set lo up
     link set eth0 up
     link set eth1 up
     address add 10.0.9.9/16 dev eth0
     address add 172.18.200.9/16 dev eth1
     route add default via 172.18.0.1
     route add default via 10.0.0.2 table 100
     rule add from 10.0.9.9 table 100`,
  );
  for (let round = 0; round < ROUNDS / 2; round++) {
    const start = performance.now();
    execFileSync('ip', ['netns', 'add', 'bench']);
    execFileSync('ip', ['-batch', batch]);
    execFileSync('ip', ['-n', 'bench', '-batch', inner]);
    execFileSync('ip', ['netns', 'del', 'bench']);
    samples.push(performance.now() - start);
    // The kernel lets go of the links' names some time later.
    const quiet = { stdio: ['ignore', 'pipe', 'ignore'] };
    while (execFileSync('ip', ['-o', 'link'], quiet).includes('bench'));
  }
  show('the same links by `ip -batch` (4 spawns, no rules)', samples);
}

const directory = mkdtempSync(join(tmpdir(), 'skep-bench-'));
const room = await Room.open();
try {
  await room.tellAll([], []);
  await measureSandboxes(room.network.networking);
  measureSpawned(directory);
} finally {
  await room.close();
  rmSync(directory, { recursive: true, force: true });
}
