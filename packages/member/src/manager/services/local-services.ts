import type { Health as HealthService, WatchService } from '@skep/manager';
import { type BoundService, implement } from '@skep/rpc';
import { Health, Watch } from '@skep/wire/swarmkit';

/** What each manager answers for itself. */
export function localServices(health: HealthService, watch: WatchService): BoundService[] {
  return [
    implement(Health, { check: async (request) => health.check(request) }),
    implement(Watch, { watch: (request, { signal }) => watch.watch(request, signal) }),
  ];
}
