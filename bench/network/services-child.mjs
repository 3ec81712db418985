// How long connecting takes among few and among many services, and how long it takes until a changed
// backend is in the kernel. Argument: rounds. Prints JSON.
import { execFileSync, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointsOf, HOST_ADDRESS, Room, requestOf, serviceOf, virtualIp } from './room.mjs';

const COUNTS = [10, 10_000];
const ROUNDS = Number(process.argv[2]);
const CONNECTS = 2_000;
const CHANGES = 100;
/** On the node; each has the virtual IPs of all services. */
const CONTAINERS = 10;
const CONNECT = new URL('./connect.mjs', import.meta.url).pathname;
const FIRST_PORT = 10_000;
const SERVER_PORT = 80;

/** The first service's task is the server. */
function published(number, ready = true) {
  const port = { protocol: 'tcp', targetPort: SERVER_PORT, publishedPort: FIRST_PORT + number };
  return endpointsOf(number, { ready, ports: [port] });
}

function tellAll(room, count) {
  const numbers = Array.from({ length: count }, (_, number) => number);
  const endpoints = numbers.flatMap((number) => published(number));
  return room.tellAll(numbers.map(serviceOf), endpoints);
}

async function timed(work) {
  const begunMs = performance.now();
  await work();
  return performance.now() - begunMs;
}

/** Microseconds of each connect from a namespace. */
function connects(namespace, host, port) {
  const time = [process.execPath, CONNECT, 'time', host, String(port), String(CONNECTS)];
  return JSON.parse(execFileSync('nsenter', [`--net=${namespace}`, ...time]));
}

async function changes(room, count) {
  const times = [];
  for (let round = 0; round < CHANGES; round++) {
    const number = 1 + ((round * 7) % (count - 1));
    for (const ready of [false, true]) {
      times.push(await timed(() => room.tell({ endpoints: published(number, ready) })));
    }
  }
  return times;
}

async function measure(room, client) {
  const figures = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const count of COUNTS) {
      const add = (name, values) => {
        figures[`${name} ${count}`] = [...(figures[`${name} ${count}`] ?? []), ...values];
      };
      add('load', [await timed(() => tellAll(room, count))]);
      add('vip', connects(client, virtualIp(0), SERVER_PORT));
      add('port', connects(room.outside, HOST_ADDRESS, FIRST_PORT));
      add('change', await changes(room, count));
    }
  }
  return figures;
}

const room = await Room.open();
let server;
try {
  await tellAll(room, COUNTS[0]);
  const namespaces = [];
  for (let number = 0; number < CONTAINERS; number++) {
    namespaces.push((await room.network.networking.setUp(requestOf(number))).netnsPath);
  }
  const serve = [process.execPath, CONNECT, 'serve', String(SERVER_PORT)];
  server = spawn('nsenter', [`--net=${namespaces[0]}`, ...serve], { stdio: 'ignore' });
  await sleep(1_000);
  process.stdout.write(JSON.stringify(await measure(room, namespaces[1])));
} finally {
  server?.kill('SIGKILL');
  await room.close();
}
