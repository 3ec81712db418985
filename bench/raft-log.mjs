// Speed of Raft's log on a real disk: how long one durable append takes, and how many entries a second pass
// when proposals share their syncs. Usage: node bench/raft-log.mjs [directory]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RealClock, RealDisk, RealRandom, silentLogger } from '@skep/platform';
import { noPeers, RaftNode } from '@skep/raft';

const SINGLE_APPENDS = 1_000;
const GROUPED_ENTRIES = 50_000;
const IN_FLIGHT = 256;
const ENTRY_BYTES = 1_024;

class Counter {
  applied = 0;
  onApply = () => {};
  apply(_index, data) {
    if (data.length === 0) return;
    this.applied++;
    this.onApply();
  }
  abort(reason) {
    throw reason;
  }
  snapshot() {
    return [];
  }
  restore() {}
}

function percentile(sorted, fraction) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))];
}

async function single(node, machine, entry) {
  const times = [];
  for (let n = 0; n < SINGLE_APPENDS; n++) {
    const start = performance.now();
    await new Promise((resolve) => {
      machine.onApply = resolve;
      node.propose(entry);
    });
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b);
}

async function grouped(node, machine, entry) {
  const start = performance.now();
  let proposed = 0;
  let applied = 0;
  await new Promise((resolve) => {
    const proposeOne = () => {
      if (proposed++ < GROUPED_ENTRIES) node.propose(entry);
    };
    machine.onApply = () => {
      if (++applied === GROUPED_ENTRIES) resolve();
      else proposeOne();
    };
    for (let n = 0; n < IN_FLIGHT; n++) proposeOne();
  });
  return GROUPED_ENTRIES / ((performance.now() - start) / 1000);
}

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'skep-bench-raft-'));
try {
  const machine = new Counter();
  const options = {
    disk: new RealDisk(),
    directory,
    random: new RealRandom(),
    clock: new RealClock(),
    log: silentLogger,
    nodeId: 'bench',
    address: '127.0.0.1:2377',
    transport: () => noPeers,
    onFatal: (error) => {
      throw error;
    },
  };
  const node = new RaftNode(options);
  await node.start(machine, { kind: 'found' });
  const entry = options.random.bytes(ENTRY_BYTES);
  await single(node, machine, entry); // warm-up
  const times = await single(node, machine, entry);
  const perSecond = await grouped(node, machine, entry);
  await node.stop();
  const startedAt = performance.now();
  const again = new RaftNode(options);
  await again.start(new Counter(), { kind: 'resume' });
  const recoveryMs = performance.now() - startedAt;
  await again.stop();
  const round = (ms) => `${ms.toFixed(2)} ms`;
  console.log(`one durable append of ${ENTRY_BYTES} bytes, alone:`);
  console.log(`  p50 ${round(percentile(times, 0.5))}, p99 ${round(percentile(times, 0.99))}`);
  console.log(`${IN_FLIGHT} in flight: ${Math.round(perSecond)} entries/s`);
  console.log(
    `recovery after ${GROUPED_ENTRIES + 2 * SINGLE_APPENDS} entries: ${round(recoveryMs)}`,
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}
