import { Code, RpcError } from '@skep/platform';
import type { OciDevice, OciDeviceRule } from './oci.js';

/** A device given to a container, and what the container may do with it. */
export interface GivenDevice {
  /** With its path in the container. */
  device: OciDevice;
  /** Of `r`, `w` and `m`. */
  access: string;
}

/** All three ways to use a device. */
export const FULL_ACCESS = 'rwm';

const RULE = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/;

/** A `--device-cgroup-rule`. Throws INVALID_ARGUMENT in Docker's words. */
export function parseDeviceRule(text: string): OciDeviceRule {
  const [, type, major = '', minor = '', access = ''] = RULE.exec(text) ?? [];
  if (!type) {
    const message = `invalid device cgroup rule format: '${text}'`;
    throw new RpcError(Code.INVALID_ARGUMENT, message);
  }
  return { allow: true, type, ...number('major', major), ...number('minor', minor), access };
}

function number(name: 'major' | 'minor', text: string): { major?: number; minor?: number } {
  return text === '*' ? {} : { [name]: Number(text) };
}

/** Whether a text says how a device may be used: `r`, `w` and `m`, each at most once. */
export function isDeviceAccess(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

export function deviceRule({ access, device }: GivenDevice): OciDeviceRule {
  const { major, minor, type } = device;
  return { allow: true, type, major, minor, access };
}
