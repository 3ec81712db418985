import type { CreateRequest } from '../contract/config.js';
import { completeHostConfig, mergeConfig } from '../create/merge.js';
import type { ContainerRecord } from '../records/record.js';
import { ALL_CAPABILITIES } from './capabilities.js';
import type { HostFacts } from './host.js';
import type { SpecInput } from './spec.js';

/** Test data: a host, a record and a spec's input that do not depend on the machine. */

export const TEST_ID = '0123456789abcdef'.repeat(4);

export function testHost(over: Partial<HostFacts> = {}): HostFacts {
  return {
    architecture: 'x64',
    kernelRelease: '6.1.0-13-amd64',
    absentArchitectures: [],
    cpuCount: 2,
    capabilities: ALL_CAPABILITIES,
    seccompProfile: {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
      syscalls: [
        { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW', args: [] },
        { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
        {
          names: ['mount'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 1,
          excludes: { caps: ['CAP_SYS_ADMIN'] },
        },
        { names: ['arch_prctl'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['amd64', 'x32'] } },
        { names: ['breakpoint'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['arm'] } },
        { names: ['ptrace'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
        { names: ['future'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '99.1' } },
      ],
    },
    cgroupMode: 'hybrid',
    initPath: '/usr/bin/tini-static',
    hasAppArmor: false,
    ...over,
  };
}

export function testRecord(request: CreateRequest = {}): ContainerRecord {
  const config = mergeConfig(TEST_ID, { Image: 'busybox', Cmd: ['sh'], ...request }, {});
  const [path = '', ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  return {
    id: TEST_ID,
    name: 'test',
    created: '2026-01-01T00:00:00Z',
    imageId: `sha256:${'1'.repeat(64)}`,
    path,
    args,
    config,
    hostConfig: completeHostConfig(request.HostConfig, {
      logConfig: { Type: 'json-file', Config: {} },
    }),
    endpointsConfig: {},
    mounts: [],
    rootMounts: [],
    snapshotter: 'overlayfs',
  };
}

export function testInput(request: CreateRequest = {}, over: Partial<SpecInput> = {}): SpecInput {
  return {
    record: testRecord(request),
    host: testHost(),
    user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
    rootPath: '/run/rootfs',
    netnsPath: '/run/netns/test',
    mountSources: [],
    files: [{ source: '/records/hosts', destination: '/etc/hosts', readOnly: false }],
    hostDevices: [],
    givenDevices: [],
    ...over,
  };
}
