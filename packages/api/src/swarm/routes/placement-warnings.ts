import type { CompleteServiceSpec } from '@skep/wire';

const KNOWN = /^(node|engine)\.labels\./i;

/** What is taken as in Docker, but has no effect. Docker does not say so. */
export function placementWarnings({ mode, task }: CompleteServiceSpec): string[] {
  const warnings: string[] = [];
  const isGlobal = mode.case === 'global' || mode.case === 'globalJob';
  for (const { preference } of task.placement?.preferences ?? []) {
    if (preference.case !== 'spread') continue;
    const { spreadDescriptor } = preference.value;
    const ignored = `placement preference spread=${spreadDescriptor} is ignored`;
    if (isGlobal) warnings.push(`${ignored}: a global service runs on every node`);
    else if (!KNOWN.test(spreadDescriptor)) {
      warnings.push(`${ignored}: it does not start with node.labels. or engine.labels.`);
    }
  }
  return warnings;
}
