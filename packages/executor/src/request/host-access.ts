import type { HostConfig } from '@skep/containers';
import { allowsDevice, askedAccess, type HostAccess, type TaskObject } from '@skep/wire';

/** Refuses what the labels of a task's service ask of this node and its administrator does not allow. */
export function checkHostAccess({ serviceAnnotations }: TaskObject, allowed: HostAccess): void {
  const { devices, privileged } = askedAccess(serviceAnnotations.labels);
  const refused = devices.find(({ host }) => !allowsDevice(allowed, host));
  if (refused) {
    throw new Error(
      `device ${refused.host} is not allowed for services on this node ` +
        '(skepd --allow-service-device)',
    );
  }
  if (privileged && !allowed.privileged) {
    throw new Error(
      'privileged services are not allowed on this node (skepd --allow-privileged-services)',
    );
  }
}

/** The devices and privileges of a task's container, as its service's labels ask for them. */
export function hostAccess({ serviceAnnotations }: TaskObject): Partial<HostConfig> {
  const { devices, privileged } = askedAccess(serviceAnnotations.labels);
  const mappings = devices.map(({ access, container, host }) => ({
    PathOnHost: host,
    PathInContainer: container,
    CgroupPermissions: access,
  }));
  return {
    ...(privileged ? { Privileged: true } : {}),
    ...(mappings.length > 0 ? { Devices: mappings } : {}),
  };
}
