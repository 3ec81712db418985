import { Socket } from 'node:net';
import type { Kernel } from '../linux/kernel.js';

/**
 * The write end of a process's input. Opened for both directions so that it never lacks a reader.
 */
export class StdinWriter {
  #socket: Socket | undefined;

  constructor(kernel: Kernel, path: string) {
    const file = kernel.openFifo(path, 'write');
    this.#socket = new Socket({ fd: file, readable: false, writable: true });
    this.#socket.on('error', () => this.destroy());
  }

  /** Resolves when the kernel took the bytes; at once when input is closed. */
  write(data: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#socket?.writable) return resolve();
      this.#socket.once('close', resolve);
      this.#socket.write(data, () => {
        this.#socket?.removeListener('close', resolve);
        resolve();
      });
    });
  }

  /** Resolves when all that was written is in the pipe and our end is closed. */
  end(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket || socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once('close', () => resolve());
      socket.end(() => socket.destroy());
    });
  }

  destroy(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}
