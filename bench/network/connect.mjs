// How long connecting takes: `serve PORT` takes connections, `time HOST PORT COUNT` makes them one
// after the other and prints the times in microseconds, as JSON.
import { connect, createServer } from 'node:net';

function serve(port) {
  createServer((socket) =>
    socket
      .on('error', () => {})
      .resume()
      .end(),
  ).listen(port);
}

function once(host, port) {
  return new Promise((resolve, reject) => {
    const begunMs = performance.now();
    const socket = connect({ host, port }, () => {
      resolve((performance.now() - begunMs) * 1_000);
      socket.resetAndDestroy(); // leaves no port in TIME_WAIT
    });
    socket.once('error', reject);
  });
}

async function time(host, port, count) {
  const times = [];
  for (let round = 0; round < count; round++) times.push(await once(host, port));
  process.stdout.write(JSON.stringify(times));
}

const [role, ...words] = process.argv.slice(2);
if (role === 'serve') serve(Number(words[0]));
else await time(words[0], Number(words[1]), Number(words[2]));
