import { realpathSync } from 'node:fs';
import { posix } from 'node:path';
import { Code, errorMessage, hasErrno, RpcError } from '@skep/platform';
import type { DeviceMapping } from '../contract/config.js';
import { FULL_ACCESS, type GivenDevice } from '../spec/devices.js';
import { deviceAt, hostDevices } from '../spec/host.js';

/** The device nodes that mappings mean now: numbers may change from one boot to the next. */
export function givenDevices(mappings: readonly DeviceMapping[]): GivenDevice[] {
  return mappings.flatMap(givenBy);
}

function givenBy({ CgroupPermissions, PathInContainer, PathOnHost }: DeviceMapping): GivenDevice[] {
  const access = CgroupPermissions || FULL_ACCESS;
  const target = PathInContainer || PathOnHost;
  try {
    const source = realpathSync(PathOnHost);
    const device = deviceAt(source);
    if (device) return [{ device: { ...device, path: target }, access }];
    const inside = hostDevices(source);
    if (inside.length === 0) throw new Error('not a device node');
    return inside.map((one) => {
      const path = posix.join(target, posix.relative(source, one.path));
      return { device: { ...one, path }, access };
    });
  } catch (error) {
    const reason = hasErrno(error, 'ENOENT') ? 'no such file or directory' : errorMessage(error);
    const what = `error gathering device information while adding custom device "${PathOnHost}"`;
    throw new RpcError(Code.INTERNAL, `${what}: ${reason}`);
  }
}
