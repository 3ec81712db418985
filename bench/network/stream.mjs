// One TCP stream as fast as it goes: `serve` sends to whoever connects, `read HOST MS` reads for so
// long and prints bytes a second.
import { connect, createServer } from 'node:net';

const PORT = 5001;
const CHUNK_BYTES = 256 * 1024;
/** At first the connection finds out how fast it may go. */
const WARM_UP_MS = 500;

function serve() {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const server = createServer((socket) => {
    const fill = () => {
      while (!socket.destroyed && socket.write(chunk)) {}
    };
    socket.on('error', () => {}).on('drain', fill);
    fill();
  });
  server.listen(PORT);
}

function read(host, forMs) {
  let bytes = 0;
  const callback = (length) => {
    bytes += length;
    return true;
  };
  // One buffer for all that is read: nothing is kept.
  const onread = { buffer: Buffer.alloc(CHUNK_BYTES), callback };
  const socket = connect({ host, port: PORT, onread });
  setTimeout(() => {
    const before = bytes;
    const begunMs = performance.now();
    setTimeout(() => {
      const seconds = (performance.now() - begunMs) / 1_000;
      process.stdout.write(String((bytes - before) / seconds));
      socket.destroy();
    }, forMs);
  }, WARM_UP_MS);
}

const [role, host, forMs] = process.argv.slice(2);
if (role === 'serve') serve();
else read(host, Number(forMs));
