import { describe, expect, it } from 'vitest';
import { mountOf } from './propagation.js';

const MOUNTINFO = `22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:5 / /srv rw shared:7 - tmpfs tmpfs rw
31 30 0:6 / /srv/a\\040b rw master:7 propagate_from:2 - tmpfs tmpfs rw
32 22 0:7 / /twice rw shared:9 - tmpfs tmpfs rw
33 32 0:8 / /twice rw - tmpfs tmpfs rw
`;

describe('mountOf', () => {
  it.each([
    ['/etc', { point: '/', isShared: false, isSlave: false }],
    ['/srv', { point: '/srv', isShared: true, isSlave: false }],
    ['/srvx', { point: '/', isShared: false, isSlave: false }],
    ['/srv/a b/c', { point: '/srv/a b', isShared: false, isSlave: true }],
    ['/twice/x', { point: '/twice', isShared: false, isSlave: false }],
  ])('finds where %s is', (path, mount) => {
    expect(mountOf(path, MOUNTINFO)).toEqual(mount);
  });
});
