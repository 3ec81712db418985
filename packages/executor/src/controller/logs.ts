import type { TaskLogEntry, TaskLogOptions } from '@skep/agent';
import type { ContainerInspect } from '@skep/containers';
import { unlessMissing } from './engine-errors.js';
import type { ControllerRoom } from './room.js';

type LogRoom = Pick<ControllerRoom, 'engine' | 'events'>;

function hasStarted(container: ContainerInspect | undefined): container is ContainerInspect {
  return container !== undefined && container.State.Status !== 'created';
}

/** Resolves with the container once it has been started; rejects when `signal` aborts. */
async function started(
  { engine, events }: LogRoom,
  name: string,
  signal: AbortSignal,
): Promise<ContainerInspect> {
  for (;;) {
    let stop = () => {};
    const next = new Promise<void>((resolve, reject) => {
      const unlisten = events.listenToAll((action) => {
        if (action === 'start') resolve();
      });
      const onAbort = () => reject(signal.reason);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
      stop = () => {
        unlisten();
        signal.removeEventListener('abort', onAbort);
      };
    });
    next.catch(() => {});
    try {
      const found = await unlessMissing(() => engine.inspect(name));
      if (hasStarted(found)) return found;
      await next;
    } finally {
      stop();
    }
  }
}

/** The log of a task's container. One that follows waits for the container to be started. */
export async function* taskLogs(
  room: LogRoom,
  name: string,
  options: TaskLogOptions,
  signal: AbortSignal,
): AsyncIterable<TaskLogEntry> {
  const found = options.follow
    ? await started(room, name, signal)
    : await unlessMissing(() => room.engine.inspect(name));
  if (!hasStarted(found)) return;
  const { follow, sinceNs, stderr, stdout, tail } = options;
  const wanted = {
    follow,
    stdout,
    stderr,
    ...(sinceNs === undefined ? {} : { sinceNs }),
    ...(tail === undefined ? {} : { tail }),
  };
  for await (const entry of room.engine.logs(found.Id, wanted, signal)) {
    const { attributes, line: data, stream, timeNs } = entry;
    yield { attributes, data, stream, timeNs };
  }
}
