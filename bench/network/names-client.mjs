// Asks 127.0.0.11 for names, so many at a time, for a while. Arguments: names, at once, seconds.
// Prints JSON: answers, and how long they took, in microseconds.
import { createSocket } from 'node:dgram';
import { quantile } from '../lib/stats.mjs';

const [nameCount, atOnce, seconds] = process.argv.slice(2).map(Number);
const HEADER = Buffer.from('000001000001000000000000', 'hex');
const A_IN = Buffer.of(0, 0, 1, 0, 1);

const questions = Array.from({ length: nameCount }, (_, number) => {
  const name = Buffer.from(`s${number}`);
  return Buffer.concat([HEADER, Buffer.of(name.length), name, A_IN]);
});

let answers = 0;
const waitsUs = [];
const endsAtMs = performance.now() + seconds * 1_000;

function client(place) {
  const socket = createSocket('udp4');
  let askedAtMs = 0;
  const ask = () => {
    askedAtMs = performance.now();
    socket.send(questions[(answers + place) % nameCount]);
  };
  socket.on('message', (answer) => {
    if (answer.readUInt16BE(6) !== 1) throw new Error('a name was not answered');
    const nowMs = performance.now();
    waitsUs.push((nowMs - askedAtMs) * 1_000);
    answers++;
    if (nowMs < endsAtMs) ask();
    else socket.close();
  });
  socket.connect(53, '127.0.0.11', ask);
}

for (let place = 0; place < atOnce; place++) client(place);
process.on('exit', () => {
  const [p50Us, p99Us] = [0.5, 0.99].map((q) => quantile(waitsUs, q));
  console.log(JSON.stringify({ answers, p50Us, p99Us }));
});
