import { describe, expect, it } from 'vitest';
import { anyFromSpec } from '../containerd/services/encoding.js';
import type { CreateRequest } from '../contract/config.js';
import type { MountRecord } from '../records/record.js';
import { testHost, testInput, testRecord } from './fixtures.js';
import { containerSpec } from './spec.js';

const spec = (request: CreateRequest = {}, over = {}) => containerSpec(testInput(request, over));
const mountOf = (result: ReturnType<typeof spec>, destination: string) =>
  result.mounts.find((mount) => mount.destination === destination);

describe('containerSpec', () => {
  it('gives a plain container what Docker gives it', () => {
    expect(spec()).toMatchSnapshot();
  });

  it('opens everything to a privileged container', () => {
    const { linux, process, mounts } = spec(
      { HostConfig: { Privileged: true } },
      { hostDevices: [{ path: '/dev/kmsg', type: 'c', major: 1, minor: 11, fileMode: 0o640 }] },
    );
    expect(linux.seccomp).toBeUndefined();
    expect(linux.maskedPaths).toEqual([]);
    expect(linux.resources.devices).toEqual([{ allow: true, access: 'rwm' }]);
    expect(linux.devices).toHaveLength(1);
    expect(process.capabilities.bounding).toContain('CAP_SYS_ADMIN');
    expect(mounts.find((mount) => mount.destination === '/sys')?.options).toContain('rw');
  });

  it('gives devices, and the right to use them', () => {
    const fuse = { path: '/dev/fuse', type: 'c', major: 10, minor: 229 };
    const HostConfig = { DeviceCgroupRules: ['c 188:* rw', 'b *:* r'] };
    const { linux } = spec({ HostConfig }, { givenDevices: [{ device: fuse, access: 'rw' }] });
    expect(linux.devices).toEqual([fuse]);
    expect(linux.resources.devices.slice(-3)).toEqual([
      { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
      { allow: true, type: 'c', major: 188, access: 'rw' },
      { allow: true, type: 'b', access: 'r' },
    ]);
  });

  it('leaves out the namespaces that are shared', () => {
    const types = (over: object, HostConfig: object) =>
      spec({ HostConfig }, over).linux.namespaces.map((namespace) => namespace.type);
    expect(types({ netnsPath: '' }, { NetworkMode: 'host' })).not.toContain('network');
    expect(types({}, { PidMode: 'host' })).not.toContain('pid');
    expect(types({}, { IpcMode: 'host' })).not.toContain('ipc');
    expect(types({}, { UTSMode: 'host' })).not.toContain('uts');
    expect(spec({ HostConfig: { UTSMode: 'host' } })).not.toHaveProperty('hostname');
    const v2 = { host: testHost({ cgroupMode: 'v2' }) };
    expect(types(v2, {})).toContain('cgroup');
    expect(types(v2, { CgroupnsMode: 'host' })).not.toContain('cgroup');
    expect(types({}, { CgroupnsMode: 'private' })).toContain('cgroup');
  });

  it('hands on annotations, a profile of AppArmor, and limits without end', () => {
    const request = {
      HostConfig: {
        Annotations: { a: 'b' },
        SecurityOpt: ['apparmor=mine'],
        Ulimits: [{ Name: 'memlock', Soft: -1, Hard: -1 }],
      },
    };
    const { annotations, process } = spec(request, { host: testHost({ hasAppArmor: true }) });
    expect(annotations).toEqual({ a: 'b' });
    expect(process.apparmorProfile).toBe('mine');
    const text = Buffer.from(anyFromSpec('Process', process).value).toString();
    const infinite = '18446744073709551615';
    expect(text).toContain(`{"type":"RLIMIT_MEMLOCK","soft":${infinite},"hard":${infinite}}`);
  });

  it('writes limits in the units of the runtime', () => {
    const HostConfig = { Memory: 1 << 26, NanoCpus: 1.5e9, PidsLimit: 10, MemorySwappiness: 3 };
    expect(spec({ HostConfig }).linux.resources).toMatchObject({
      memory: { limit: 1 << 26, swap: 1 << 27, swappiness: 3 },
      cpu: { quota: 150_000, period: 100_000 },
      pids: { limit: 10 },
    });
    const v2 = spec({ HostConfig }, { host: testHost({ cgroupMode: 'v2' }) });
    expect(v2.linux.resources.memory).not.toHaveProperty('swappiness');
  });

  it('gives a terminal the size it was asked to have', () => {
    const { process } = spec({ Tty: true, HostConfig: { ConsoleSize: [33, 77] } });
    expect(process).toMatchObject({ terminal: true, consoleSize: { height: 33, width: 77 } });
    expect(spec({ Tty: true, HostConfig: { ConsoleSize: [0, 0] } }).process.consoleSize).toBe(
      undefined,
    );
  });

  it('has no /dev/shm without IPC', () => {
    expect(mountOf(spec(), '/dev/shm')).toBeDefined();
    expect(mountOf(spec({ HostConfig: { IpcMode: 'none' } }), '/dev/shm')).toBeUndefined();
  });

  it('takes effective capabilities from whoever is not root', () => {
    const user = { uid: 7, gid: 7, home: '/' };
    const { capabilities } = spec({}, { user }).process;
    expect(capabilities.effective).toEqual([]);
    expect(capabilities.bounding).toContain('CAP_CHOWN');
  });

  it('runs the command under init when asked', () => {
    const result = spec({ Cmd: ['sleep', '1'], HostConfig: { Init: true } });
    expect(result.process.args).toEqual(['/sbin/docker-init', '--', 'sleep', '1']);
    expect(mountOf(result, '/sbin/docker-init')?.source).toBe('/usr/bin/tini-static');
  });

  it('mounts parents before what lies in them, and a user mount in place of a default', () => {
    const record = testRecord();
    const mount = (Destination: string, RW: boolean): MountRecord => ({
      Type: 'bind',
      Source: '/src',
      Destination,
      Mode: '',
      RW,
      Propagation: 'rprivate',
    });
    record.mounts = [mount('/a/b', false), mount('/a', true), mount('/dev/shm', true)];
    const result = spec({}, { record, mountSources: ['/1', '/2', '/3'] });
    const order = result.mounts.map((entry) => entry.destination);
    expect(order.indexOf('/a')).toBeLessThan(order.indexOf('/a/b'));
    expect(mountOf(result, '/a/b')?.options).toEqual(['rbind', 'rprivate', 'ro', 'rro']);
    expect(order.filter((destination) => destination === '/dev/shm')).toHaveLength(1);
  });

  it('refuses to run without the default profile, unless asked to', () => {
    const host = testHost({ seccompProfile: undefined });
    expect(() => spec({}, { host })).toThrow('default seccomp profile is not installed');
    const open = spec({ HostConfig: { SecurityOpt: ['seccomp=unconfined'] } }, { host });
    expect(open.linux.seccomp).toBeUndefined();
  });
});
