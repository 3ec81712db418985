// A task's network sandbox: time to make and remove one, beside what spawned `ip` needs;
// and time to change one backend of the routing mesh among few and many published ports.
// Runs in a network namespace of its own; needs root.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNetwork } from '@skep/network';
import koffi from 'koffi';

const CLONE_NEWNET = 0x40000000;
koffi.load('libc.so.6').func('int unshare(int flags)')(CLONE_NEWNET);
execFileSync('ip', ['link', 'set', 'lo', 'up']);

const ROUNDS = 100;
const PARALLEL = 8;
const INGRESS = {
  networkId: 'ingress-id',
  networkName: 'ingress',
  subnet: '10.0.0.0/16',
  gateway: '10.0.0.1',
  nodeAddress: '10.0.0.2/16',
};

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

function task(id, last) {
  const { networkId, networkName, subnet, gateway } = INGRESS;
  const address = `10.0.1.${last}/16`;
  return {
    containerId: id,
    name: `/${id}`,
    mode: 'task',
    endpoints: [{ networkId, networkName, subnet, gateway, address, ingress: true, aliases: [] }],
    ports: {},
    sysctls: {},
  };
}

async function measureSandboxes(networking) {
  const [up, down, both] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const upMs = await timed(() => networking.setUp(task('one', 9)));
    const downMs = await timed(() => networking.tearDown('one'));
    up.push(upMs);
    down.push(downMs);
    both.push(upMs + downMs);
  }
  show('task sandbox: set up', up);
  show('task sandbox: tear down', down);
  show('task sandbox: both (goal 10 ms)', both);
  const ids = Array.from({ length: PARALLEL }, (_, place) => `p${place}`);
  const together = [];
  for (let round = 0; round < ROUNDS / PARALLEL; round++) {
    const ms = await timed(async () => {
      await Promise.all(ids.map((id, place) => networking.setUp(task(id, 20 + place))));
      await Promise.all(ids.map((id) => networking.tearDown(id)));
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

async function measureBackends(publisher, total, known) {
  const port = (publishedPort) => [{ protocol: 'tcp', targetPort: 80, publishedPort }];
  const at = (taskId, address, publishedPort) => ({
    serviceId: taskId,
    serviceName: taskId,
    taskId,
    address,
    ports: port(publishedPort),
  });
  if (known < total) {
    const ports = Array.from({ length: total - known }, (_, place) => 10_000 + known + place);
    const fill = ports.map((publishedPort) => port(publishedPort)[0]);
    await publisher.activate({ ...at(`fill${total}`, '10.0.2.2', 1), ports: fill });
  }
  const samples = [];
  for (let round = 0; round < ROUNDS; round++) {
    samples.push(await timed(() => publisher.activate(at('probe', '10.0.3.3', 10_000))));
    samples.push(await timed(() => publisher.deactivate('probe')));
  }
  show(`one backend changed, ${total} published ports (goal 5 ms)`, samples);
}

// As /run, where the exec-root is: memory, not disk.
const directory = mkdtempSync('/dev/shm/skep-bench-');
const network = await createNetwork({
  dataRoot: join(directory, 'data'),
  execRoot: join(directory, 'exec'),
});
try {
  await network.networking.restore([]);
  await network.publisher.configureNode(INGRESS);
  await measureSandboxes(network.networking);
  measureSpawned(directory);
  await measureBackends(network.publisher, 10, 0);
  await measureBackends(network.publisher, 1_000, 10);
  await measureBackends(network.publisher, 10_000, 1_000);
} finally {
  await network.close({ removeAll: true });
  rmSync(directory, { recursive: true, force: true });
}
