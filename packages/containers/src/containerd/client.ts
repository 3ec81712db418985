import type { Clock, Logger } from '@skep/platform';
import { version } from '@skep/wire/containerd';
import { Connection } from './connection.js';
import type { Containerd } from './containerd.js';
import { EventStream } from './events.js';
import { containersApi } from './services/containers.js';
import { contentApi } from './services/content.js';
import { diffApi, imagesApi, leasesApi } from './services/images.js';
import { snapshotsApi } from './services/snapshots.js';
import { tasksApi } from './services/tasks.js';

export interface ContainerdClientOptions {
  /** Path of containerd's unix socket. */
  address: string;
  /** containerd namespace everything of this daemon lives in. */
  namespace: string;
  /** `overlayfs` unless the file system cannot. */
  snapshotter?: string;
  clock: Clock;
  logger: Logger;
}

function assemble(connection: Connection, events: EventStream, snapshotter: string): Containerd {
  return {
    namespace: connection.namespace,
    containers: containersApi(connection, snapshotter),
    tasks: tasksApi(connection),
    snapshots: snapshotsApi(connection, snapshotter),
    content: contentApi(connection),
    images: imagesApi(connection),
    leases: leasesApi(connection),
    diff: diffApi(connection),
    events,
    async version() {
      const response = await connection.call(version.Version.method.version, {});
      return { version: response.version, revision: response.revision };
    },
    withLease: (leaseId) => assemble(connection.withLease(leaseId), events, snapshotter),
  };
}

/** A client of a running containerd. Reconnects by itself; `close` ends it for good. */
export interface ContainerdClient extends Containerd {
  /** Resolves when events flow; rejects with the signal's reason when that aborts first. */
  ready(signal?: AbortSignal): Promise<void>;
  close(): void;
}

/** Connects in the background; calls before containerd answers fail with UNAVAILABLE. */
export function connectContainerd(options: ContainerdClientOptions): ContainerdClient {
  const { clock, logger } = options;
  const connection = new Connection(options);
  const events = new EventStream({ connection, clock, logger });
  events.open();
  return {
    ...assemble(connection, events, options.snapshotter ?? 'overlayfs'),
    ready: (signal) => eventsReady(events, signal),
    close() {
      events.close();
      connection.close();
    },
  };
}

function eventsReady(events: EventStream, signal?: AbortSignal): Promise<void> {
  if (events.connected) return Promise.resolve();
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const settle = (finish: () => void) => {
      signal?.removeEventListener('abort', onAbort);
      unsubscribe();
      finish();
    };
    const onAbort = () => settle(() => reject(signal?.reason));
    const unsubscribe = events.subscribe({ onResync: () => settle(resolve) });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
