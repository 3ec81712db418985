import type { HostConfig } from '../contract/config.js';
import type { HostFacts } from '../spec/host.js';

/** What a container is made without although it was asked for, in Docker's words. */
export function creationWarnings(hostConfig: HostConfig, host: HostFacts): string[] {
  const { Memory, MemorySwappiness, NetworkMode, OomKillDisable, PortBindings } = hostConfig;
  const warnings: string[] = [];
  const isV2 = host.cgroupMode === 'v2';
  if (isV2 && MemorySwappiness !== null && MemorySwappiness >= 0) {
    warnings.push(
      'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. ' +
        'Memory swappiness discarded.',
    );
  }
  if (isV2 && OomKillDisable) {
    warnings.push('Your kernel does not support OomKillDisable. OomKillDisable discarded.');
  }
  if (!isV2 && OomKillDisable && Memory === 0) {
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in ' +
        'the system running out of resources.',
    );
  }
  if (NetworkMode === 'host' && Object.keys(PortBindings).length > 0) {
    warnings.push('Published ports are discarded when using host network mode');
  }
  return warnings;
}
