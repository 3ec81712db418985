import { connect, type Socket } from 'node:net';

/** What a connection on which nothing comes back for this long is called. */
const HANGS_AFTER_MS = 15_000;

/** A connection to a probe's echo port that stays open. */
export class HeldConnection {
  /** Of who is at its other end. */
  readonly name: string;
  /** Whom that one sees. */
  readonly from: string;
  readonly #socket: Socket;

  private constructor(socket: Socket, { name, from }: { name: string; from: string }) {
    this.#socket = socket;
    this.name = name;
    this.from = from;
    socket.on('error', () => {}); // whoever waits hears of it
  }

  static async open(host: string, port: number): Promise<HeldConnection> {
    const socket = connect(port, host);
    return new HeldConnection(socket, JSON.parse(await next(socket)));
  }

  /** Sends a text; what comes back, or the code of the error, or `hangs`. */
  async echo(text: string): Promise<string> {
    const answered = next(this.#socket);
    this.#socket.write(text);
    return await answered;
  }

  close(): void {
    this.#socket.destroy();
  }
}

function next(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('hangs'), HANGS_AFTER_MS);
    const end = (text: string) => {
      clearTimeout(timer);
      resolve(text);
    };
    if (socket.destroyed) end('closed');
    socket.once('data', (data) => end(String(data).trim()));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code ?? 'error'));
    socket.once('close', () => end('closed'));
  });
}
