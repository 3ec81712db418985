import type { KernelCommand, NamespacePath, RunOptions, TableFamily } from '../contract.js';
import type { SocketRequest } from '../socket-contract.js';

/** What the main thread and the kernel's worker say to each other. */

export type WorkerCall =
  | { kind: 'run'; commands: readonly KernelCommand[]; options: RunOptions }
  | { kind: 'inspect'; namespace: NamespacePath }
  | { kind: 'tunnelEntries'; namespace: NamespacePath }
  | { kind: 'listNamespaces'; directory: string }
  | { kind: 'tableElements'; namespace: NamespacePath; table: string }
  | { kind: 'ruleCounts'; namespace: NamespacePath; table: string; family: TableFamily }
  | { kind: 'baseChains'; namespace: NamespacePath }
  | { kind: 'rulesGeneration'; namespace: NamespacePath }
  | { kind: 'openTcpListings'; namespace: NamespacePath }
  | { kind: 'tcpSockets'; namespace: NamespacePath }
  | { kind: 'listeningPorts'; namespace: NamespacePath }
  | { kind: 'security'; namespace: NamespacePath }
  | { kind: 'openSocket'; request: SocketRequest }
  | { kind: 'readSysctl'; namespace: NamespacePath; name: string };

export interface WorkerRequest {
  id: number;
  call: WorkerCall;
}

export type WorkerResponse =
  | { id: number; ok: true; value: unknown }
  | { id: number; ok: false; code: string; message: string; index: number };
