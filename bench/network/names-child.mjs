// How many questions for names a node answers. Arguments: ms. Prints JSON.
import { spawn } from 'node:child_process';
import { endpointsOf, Room, requestOf, serviceOf } from './room.mjs';

const FLOOD = new URL('./names-flood.mjs', import.meta.url).pathname;
const SERVICES = 1_000;
const ASKED = 20;

const room = await Room.open();
try {
  const numbers = Array.from({ length: SERVICES }, (_, number) => number);
  await room.tellAll(
    numbers.map(serviceOf),
    numbers.flatMap((number) => endpointsOf(number)),
  );
  const { netnsPath } = await room.network.networking.setUp(requestOf(0));
  const names = numbers.slice(0, ASKED).map((number) => `s${number}`);
  const flood = [`--net=${netnsPath}`, process.execPath, FLOOD, names.join(','), process.argv[2]];
  const before = process.cpuUsage();
  const child = spawn('nsenter', flood, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(JSON.stringify({ ...JSON.parse(text), cpuSeconds: (user + system) / 1e6 }));
} finally {
  await room.close();
}
