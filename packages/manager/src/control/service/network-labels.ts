import {
  AFFINITIES,
  AFFINITY_LABEL,
  type CompleteServiceSpec,
  DRAIN_LABEL,
  drainMs,
  durationMs,
} from '@skep/wire';
import { invalidArgument } from '../errors.js';
import { SERVICE_DEFAULTS } from './defaults.js';

/** Checks the labels by which a service asks the network for what Docker has no field for. */
export function checkNetworkLabels({ annotations, task }: CompleteServiceSpec): void {
  const { labels } = annotations;
  const affinity = labels[AFFINITY_LABEL];
  if (affinity !== undefined && !AFFINITIES.some((known) => known === affinity)) {
    throw invalidArgument(
      `label ${AFFINITY_LABEL}: ${JSON.stringify(affinity)} is none of ${AFFINITIES.join(', ')}`,
    );
  }
  const drain = labels[DRAIN_LABEL];
  if (drain !== undefined) checkDrain(drain, drainMs(labels), gracePeriodMs(task));
}

function checkDrain(text: string, ms: number | undefined, graceMs: number): void {
  if (ms === undefined || ms < 0) {
    throw invalidArgument(
      `label ${DRAIN_LABEL}: ${JSON.stringify(text)} is no duration such as 30s or 1m30s`,
    );
  }
  if (ms > graceMs) {
    throw invalidArgument(
      `label ${DRAIN_LABEL}: ${text} is longer than the service's stop grace period ` +
        `(${graceMs / 1_000}s)`,
    );
  }
}

function gracePeriodMs({ runtime }: CompleteServiceSpec['task']): number {
  const given = runtime.case === 'container' ? runtime.value.stopGracePeriod : undefined;
  return durationMs(given, SERVICE_DEFAULTS.stopGracePeriodMs);
}
