// What answers to names cost among few and among many services, and how long a client waits for one.
// Argument: seconds of each load. Prints JSON.
import { spawn } from 'node:child_process';
import { endpointsOf, Room, requestOf, serviceOf } from './room.mjs';

const CLIENT = new URL('./names-client.mjs', import.meta.url).pathname;
const SECONDS = Number(process.argv[2]);
const COUNTS = [10, 10_000];
const ROUNDS = 3;
const CLIENTS_AT_ONCE = 32;

/** What clients in a container see, and the processor time that their answers took here. */
async function load(namespace, names, atOnce) {
  const words = [CLIENT, String(names), String(atOnce), String(SECONDS)];
  const before = process.cpuUsage();
  const command = [`--net=${namespace}`, process.execPath, ...words];
  const child = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  const { user, system } = process.cpuUsage(before);
  const seen = JSON.parse(text);
  return { ...seen, answerUs: (user + system) / seen.answers };
}

const room = await Room.open();
try {
  const figures = {};
  await room.tellAll([], []);
  const { netnsPath } = await room.network.networking.setUp(requestOf(0));
  for (let round = 0; round < ROUNDS; round++) {
    for (const count of COUNTS) {
      const numbers = Array.from({ length: count }, (_, number) => number);
      const endpoints = numbers.flatMap((number) => endpointsOf(number));
      await room.tellAll(numbers.map(serviceOf), endpoints);
      const { answers, answerUs } = await load(netnsPath, count, CLIENTS_AT_ONCE);
      const { p50Us, p99Us } = await load(netnsPath, count, 1);
      const perSecond = answers / SECONDS;
      figures[count] = [...(figures[count] ?? []), { answerUs, perSecond, p50Us, p99Us }];
    }
  }
  process.stdout.write(JSON.stringify(figures));
} finally {
  await room.close();
}
