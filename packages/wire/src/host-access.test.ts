import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { allowsDevices, askedAccess, hostAccessMarks, hostAccessOf } from './host-access.js';
import { NodeDescriptionSchema } from './swarmkit.js';

const devices = (text: string) => askedAccess({ 'skep.devices': text }).devices;

describe('what a service asks of its nodes', () => {
  it('is read from its labels', () => {
    expect(askedAccess({})).toEqual({ devices: [], privileged: false });
    expect(askedAccess({ 'skep.privileged': 'true' }).privileged).toBe(true);
    expect(askedAccess({ 'skep.privileged': 'false' }).privileged).toBe(false);
    expect(devices('/dev/fuse, /dev/a:/dev/b,/dev/c:r,/dev/d:/dev/e:rw')).toEqual([
      { host: '/dev/fuse', container: '/dev/fuse', access: 'rwm' },
      { host: '/dev/a', container: '/dev/b', access: 'rwm' },
      { host: '/dev/c', container: '/dev/c', access: 'r' },
      { host: '/dev/d', container: '/dev/e', access: 'rw' },
    ]);
  });

  it.each(['dev/fuse', '/dev/../etc', '/dev/fuse,', '/dev/a:/dev/b:rwx', '/dev/a:b', '/', ':'])(
    'is refused where it cannot be understood: %s',
    (text) => {
      expect(() => devices(text)).toThrow('label skep.devices: ');
    },
  );

  it('is privileged or not, and nothing else', () => {
    expect(() => askedAccess({ 'skep.privileged': 'yes' })).toThrow(
      'label skep.privileged: "yes" is neither true nor false',
    );
  });

  it('is allowed by nodes that say so, path by path', () => {
    const allowed = { devices: ['/dev/fuse', '/dev/ttyUSB*'], privileged: true };
    const engine = { plugins: hostAccessMarks(allowed) };
    const described = hostAccessOf(create(NodeDescriptionSchema, { engine }));
    expect(described).toEqual(allowed);
    const isAllowed = (text: string) => allowsDevices(described, devices(text));
    expect(isAllowed('/dev/fuse,/dev/ttyUSB12')).toBe(true);
    expect(isAllowed('/dev/fuse,/dev/sda')).toBe(false);
    expect(isAllowed('/dev/ttyUSB0/x')).toBe(false);
    expect(isAllowed('/dev/fusex')).toBe(false);
    expect(hostAccessOf(undefined)).toEqual({ devices: [], privileged: false });
  });
});
