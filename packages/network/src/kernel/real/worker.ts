import { parentPort } from 'node:worker_threads';
import { invariant } from '@skep/platform';
import { type KernelCommand, KernelError, type RunOptions } from '../contract.js';
import { CommandRunner } from './commands.js';
import { Handles } from './handles.js';
import { Namespaces } from './namespaces.js';
import type { WorkerCall, WorkerRequest, WorkerResponse } from './protocol.js';
import { QueryRunner } from './queries.js';
import { openSocketIn } from './sockets.js';
import { countTcpSockets, openTcpListings } from './tcp-sockets.js';

/**
 * The thread that talks to the kernel. `setns` moves only the calling thread, so namespaces are
 * entered here while the rest of the daemon stays where it is; and a slow answer of the kernel
 * holds up nobody else.
 */

const namespaces = new Namespaces();
const handles = new Handles(namespaces);
const commands = new CommandRunner({ namespaces, handles });
const queries = new QueryRunner({ namespaces, handles });

/** What taking down may meet and ignore: the thing is gone already, or was never made. */
const GONE = new Set(['ENOENT', 'ENODEV', 'ENXIO', 'ESRCH', 'EADDRNOTAVAIL']);

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'EIO';
}

function kernelError(error: unknown, index: number): KernelError {
  const message = error instanceof Error ? error.message : String(error);
  return new KernelError(codeOf(error), message, index);
}

function runAll(batch: readonly KernelCommand[], options: RunOptions): void {
  const goOn = options.onRefusal === 'continue';
  let first: KernelError | undefined;
  commands.beginBatch();
  for (const [index, command] of batch.entries()) {
    try {
      commands.run(command);
    } catch (error) {
      if (!goOn) throw kernelError(error, index);
      if (!GONE.has(codeOf(error))) first ??= kernelError(error, index);
    }
  }
  if (first) throw first;
}

function answer(call: WorkerCall): unknown {
  switch (call.kind) {
    case 'run':
      return runAll(call.commands, call.options);
    case 'inspect':
      return queries.inspect(call.namespace);
    case 'tunnelEntries':
      return queries.tunnelEntries(call.namespace);
    case 'listNamespaces':
      return namespaces.list(call.directory);
    case 'tableElements':
      return queries.tableElements(call.namespace, call.table);
    case 'ruleCounts':
      return queries.ruleCounts(call.namespace, call.table, call.family);
    case 'baseChains':
      return queries.baseChains(call.namespace);
    case 'rulesGeneration':
      return queries.rulesGeneration(call.namespace);
    case 'openTcpListings':
      return openTcpListings(namespaces, call.namespace);
    case 'tcpSockets':
      return countTcpSockets(namespaces, call.namespace);
    case 'listeningPorts':
      return queries.listeningPorts(call.namespace);
    case 'security':
      return queries.security(call.namespace);
    case 'openSocket':
      return openSocketIn(namespaces, call.request);
    case 'readSysctl':
      return queries.readSysctl(call.namespace, call.name);
  }
}

function respond(request: WorkerRequest): WorkerResponse {
  try {
    return { id: request.id, ok: true, value: answer(request.call) };
  } catch (error) {
    const { code, message, index } = error instanceof KernelError ? error : kernelError(error, 0);
    return { id: request.id, ok: false, code, message, index };
  } finally {
    handles.closeForeign();
    namespaces.forgetOpen();
  }
}

/** Sockets that were put aside are closed when nobody has asked for anything for so long. */
const IDLE_MS = 20;
let tidying: NodeJS.Timeout | undefined;

/** Closing some sockets takes long: not while somebody waits for an answer. */
function tidyLater(): void {
  clearTimeout(tidying);
  if (handles.hasAside) tidying = setTimeout(() => handles.closeAside(), IDLE_MS).unref();
}

invariant(parentPort, 'the kernel worker runs in a worker thread');
const port = parentPort;
port.on('message', (request: WorkerRequest | 'close') => {
  if (request !== 'close') {
    port.postMessage(respond(request));
    return tidyLater();
  }
  handles.closeAll();
  namespaces.close();
  port.close();
});
