import type { ContainerEngine, ContainerInspect } from '@skep/containers';
import type { ContainerEvents } from './container-events.js';

/** What a container's health check, or the container, came to. */
export type Health = 'healthy' | 'unhealthy' | 'ended';

/** Whether a task is RUNNING only once its health check says so. */
export function isHealthChecked({ Config, State }: ContainerInspect): boolean {
  const test = Config.Healthcheck?.Test;
  if (test?.[0] === 'NONE') return false;
  return (test !== undefined && test.length > 0) || (State.Health?.Status ?? 'none') !== 'none';
}

function healthOf({ State }: ContainerInspect): Health | undefined {
  if (!State.Running) return 'ended';
  const status = State.Health?.Status;
  return status === 'healthy' || status === 'unhealthy' ? status : undefined;
}

const BY_ACTION: Record<string, Health> = {
  'health_status: healthy': 'healthy',
  'health_status: unhealthy': 'unhealthy',
  die: 'ended',
  destroy: 'ended',
};

export interface HealthWatchOptions {
  engine: Pick<ContainerEngine, 'inspect'>;
  events: ContainerEvents;
  containerId: string;
  signal: AbortSignal;
}

/**
 * Resolves as soon as the container is, or becomes, one of `wanted`. It listens before it looks, so that
 * nothing falls in between.
 */
export async function waitForHealth(
  options: HealthWatchOptions,
  wanted: readonly Health[],
): Promise<Health> {
  const { containerId, engine, events, signal } = options;
  let stop = () => {};
  const heard = new Promise<Health>((resolve, reject) => {
    const unlisten = events.listen(containerId, (action) => {
      const health = BY_ACTION[action];
      if (health && wanted.includes(health)) resolve(health);
    });
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    stop = () => {
      unlisten();
      signal.removeEventListener('abort', onAbort);
    };
  });
  heard.catch(() => {}); // its rejection is awaited below, unless the look came first
  try {
    const now = healthOf(await engine.inspect(containerId));
    return now && wanted.includes(now) ? now : await heard;
  } finally {
    stop();
  }
}
