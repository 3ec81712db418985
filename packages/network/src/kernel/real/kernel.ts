import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Code, RpcError } from '@skep/platform';
import { KERNEL_CALLS_MAX } from '../../limits.js';
import { Serial } from '../../serial.js';
import {
  type BaseChainView,
  type KernelCommand,
  KernelError,
  type NamespacePath,
  type NamespaceView,
  type NetKernel,
  type RunOptions,
  type SecurityView,
  type TableFamily,
  type TunnelEntries,
} from '../contract.js';
import type { SocketOpener, SocketRequest } from '../socket-contract.js';
import type { WorkerCall, WorkerRequest, WorkerResponse } from './protocol.js';
import { readInbound, readListening } from './tcp-sockets.js';

interface Waiter {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The machine's kernel, through a worker thread. Needs root, and the library libnftables. */
export class RealKernel implements NetKernel, SocketOpener {
  readonly #worker = new Worker(new URL('./worker.js', import.meta.url));
  readonly #waiting = new Map<number, Waiter>();
  /** Read one after the other: the threads that do it are for files, too. */
  readonly #listings = new Serial();
  #lastId = 0;
  #failure: Error | undefined;

  constructor() {
    this.#worker.on('message', (response: WorkerResponse) => this.#settle(response));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the kernel worker has ended')));
    this.#worker.unref();
  }

  async run(commands: readonly KernelCommand[], options: RunOptions = {}): Promise<void> {
    if (commands.length > 0) await this.#call({ kind: 'run', commands, options });
  }

  async inspect(namespace: NamespacePath): Promise<NamespaceView> {
    return (await this.#call({ kind: 'inspect', namespace })) as NamespaceView;
  }

  async tunnelEntries(namespace: NamespacePath): Promise<TunnelEntries> {
    return (await this.#call({ kind: 'tunnelEntries', namespace })) as TunnelEntries;
  }

  async listNamespaces(directory: string): Promise<NamespacePath[]> {
    return (await this.#call({ kind: 'listNamespaces', directory })) as NamespacePath[];
  }

  async tableElements(
    namespace: NamespacePath,
    table: string,
  ): Promise<Map<string, Map<string, string>> | undefined> {
    const elements = await this.#call({ kind: 'tableElements', namespace, table });
    return elements as Map<string, Map<string, string>> | undefined;
  }

  async ruleCounts(
    namespace: NamespacePath,
    table: string,
    family: TableFamily = 'ip',
  ): Promise<Map<string, number> | undefined> {
    const counts = await this.#call({ kind: 'ruleCounts', namespace, table, family });
    return counts as Map<string, number> | undefined;
  }

  async baseChains(namespace: NamespacePath): Promise<BaseChainView[]> {
    return (await this.#call({ kind: 'baseChains', namespace })) as BaseChainView[];
  }

  async rulesGeneration(namespace: NamespacePath): Promise<number> {
    return (await this.#call({ kind: 'rulesGeneration', namespace })) as number;
  }

  async inboundConnections(namespace: NamespacePath): Promise<number> {
    const listings = await this.#call({ kind: 'openTcpListings', namespace });
    return this.#listings.run(() => readInbound(listings as number[]));
  }

  async tcpSockets(namespace: NamespacePath): Promise<number> {
    return (await this.#call({ kind: 'tcpSockets', namespace })) as number;
  }

  async listeningPorts(namespace: NamespacePath): Promise<number[]> {
    try {
      return (await this.#call({ kind: 'listeningPorts', namespace })) as number[];
    } catch (error) {
      if (!(error instanceof KernelError) || error.code !== 'ENOENT') throw error;
      // Without the module that tells (tcp_diag); without the namespace, the listings are missing, too.
      const listings = await this.#call({ kind: 'openTcpListings', namespace });
      return this.#listings.run(() => readListening(listings as number[]));
    }
  }

  async security(namespace: NamespacePath): Promise<SecurityView> {
    return (await this.#call({ kind: 'security', namespace })) as SecurityView;
  }

  async readSysctl(namespace: NamespacePath, name: string): Promise<string | undefined> {
    return (await this.#call({ kind: 'readSysctl', namespace, name })) as string | undefined;
  }

  async openSocket(request: SocketRequest): Promise<number> {
    return (await this.#call({ kind: 'openSocket', request })) as number;
  }

  async close(): Promise<void> {
    if (this.#failure) return;
    const ended = once(this.#worker, 'exit');
    this.#worker.ref();
    this.#worker.postMessage('close');
    await ended;
  }

  #call(call: WorkerCall): Promise<unknown> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#waiting.size >= KERNEL_CALLS_MAX) {
      const message = 'too many network changes are waiting';
      return Promise.reject(new RpcError(Code.RESOURCE_EXHAUSTED, message));
    }
    const request: WorkerRequest = { id: ++this.#lastId, call };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      // An idle worker must not keep the process alive, a working one must.
      if (this.#waiting.size === 1) this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  #settle(response: WorkerResponse): void {
    const waiter = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (response.ok) waiter?.resolve(response.value);
    else waiter?.reject(new KernelError(response.code, response.message, response.index));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiter of this.#waiting.values()) waiter.reject(this.#failure);
    this.#waiting.clear();
  }
}
