import { describe, expect, it } from 'vitest';
import { ALL_CAPABILITIES, containerCapabilities, DEFAULT_CAPABILITIES } from './capabilities.js';
import { testHost } from './fixtures.js';
import { deviceNumbers } from './host.js';
import { absentArchitectures } from './kernel-config.js';
import { mergeEnvironment } from './process.js';
import { convertSeccomp, kernelAtLeast, type SeccompProfile } from './seccomp.js';
import { checkSecurityOptions, parseSecurityOptions } from './security.js';
import { resolveUser } from './user.js';

const files = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/srv:/bin/sh\n# comment\nbad\n',
  group: 'root:x:0:\nweb:x:1001:\nlogs:x:4:web,root\n',
};

describe('resolveUser', () => {
  it.each([
    ['', { uid: 0, gid: 0, additionalGids: [0, 4], home: '/root' }],
    ['web', { uid: 1000, gid: 1001, additionalGids: [1001, 4], home: '/srv' }],
    ['1000', { uid: 1000, gid: 1001, additionalGids: [1001, 4], home: '/srv' }],
    ['web:logs', { uid: 1000, gid: 4, additionalGids: [4], home: '/srv' }],
    ['55:66', { uid: 55, gid: 66, additionalGids: [66], home: '/' }],
  ])('resolves "%s"', (user, expected) => {
    expect(resolveUser(user, [], files)).toEqual(expected);
  });

  it('adds groups by name and number', () => {
    expect(resolveUser('web', ['logs', '9'], files).additionalGids).toEqual([1001, 4, 9]);
  });

  it('refuses whom it does not find', () => {
    expect(() => resolveUser('x', [], files)).toThrow(
      'unable to find user x: no matching entries in passwd file',
    );
    expect(() => resolveUser('web:y', [], files)).toThrow(
      'unable to find group y: no matching entries in group file',
    );
    expect(() => resolveUser('4294967296', [], files)).toThrow('must be in range 0-2147483647');
  });
});

describe('containerCapabilities', () => {
  const request = { add: [], drop: [], privileged: false, supported: ALL_CAPABILITIES };

  it('adds to and drops from the default set', () => {
    expect(new Set(containerCapabilities(request))).toEqual(new Set(DEFAULT_CAPABILITIES));
    const names = containerCapabilities({ ...request, add: ['net_admin'], drop: ['CAP_CHOWN'] });
    expect(names).toContain('CAP_NET_ADMIN');
    expect(names).not.toContain('CAP_CHOWN');
    expect(containerCapabilities({ ...request, add: ['CHOWN'], drop: ['ALL'] })).toEqual([
      'CAP_CHOWN',
    ]);
    const all = containerCapabilities({ ...request, add: ['ALL'], drop: ['BPF'] });
    expect(all).toHaveLength(ALL_CAPABILITIES.length - 1);
  });

  it('refuses what is none', () => {
    expect(() => containerCapabilities({ ...request, add: ['FLY'] })).toThrow(
      'invalid capability: "FLY"',
    );
  });
});

describe('convertSeccomp', () => {
  const profile = testHost().seccompProfile as SeccompProfile;
  const target = {
    architecture: 'x64',
    capabilities: [] as string[],
    kernelRelease: '6.1.0',
    absentArchitectures: [] as string[],
  };
  const namesOf = (over: object) =>
    convertSeccomp(profile, { ...target, ...over }).syscalls.flatMap((rule) =>
      rule.names.map((name) => `${name} ${rule.action}`),
    );

  it('keeps the rules of this machine and these capabilities', () => {
    expect(namesOf({})).toEqual([
      'read SCMP_ACT_ALLOW',
      'write SCMP_ACT_ALLOW',
      'mount SCMP_ACT_ERRNO',
      'arch_prctl SCMP_ACT_ALLOW',
      'ptrace SCMP_ACT_ALLOW',
    ]);
    expect(namesOf({ capabilities: ['CAP_SYS_ADMIN'] })).toContain('mount SCMP_ACT_ALLOW');
    expect(namesOf({ architecture: 'arm' })).toContain('breakpoint SCMP_ACT_ALLOW');
  });

  it('names native and sub-architectures', () => {
    expect(convertSeccomp(profile, target).architectures).toEqual([
      'SCMP_ARCH_X86_64',
      'SCMP_ARCH_X86',
    ]);
  });

  it('leaves out those of which the kernel runs no programs, as its configuration says', () => {
    const built = 'CONFIG_X86_64=y\n# CONFIG_IA32_EMULATION is not set\nCONFIG_X86_X32_ABI=y\n';
    const known = { ...target, absentArchitectures: absentArchitectures(built) };
    expect(convertSeccomp(profile, known).architectures).toEqual(['SCMP_ARCH_X86_64']);
    expect(absentArchitectures('# CONFIG_X86_X32 is not set')).toEqual(['SCMP_ARCH_X32']);
    expect(absentArchitectures(undefined)).toEqual([]);
  });

  it('compares kernels by number', () => {
    expect(kernelAtLeast('5.10.0', '5.9')).toBe(true);
    expect(kernelAtLeast('5.9.0', '5.10')).toBe(false);
    expect(kernelAtLeast('6.0', '5.19')).toBe(true);
  });
});

describe('small parts', () => {
  it('merges environments by name', () => {
    expect(mergeEnvironment(['A=1', 'B=2'], ['B=3', 'C=4', 'A'])).toEqual(['B=3', 'C=4']);
  });

  it('reads security options', () => {
    const parsed = parseSecurityOptions(['no-new-privileges:true', 'seccomp=unconfined']);
    const apparmorProfile = '';
    expect(parsed).toEqual({ noNewPrivileges: true, seccomp: 'unconfined', apparmorProfile });
    expect(() => parseSecurityOptions(['what=ever'])).toThrow(
      'invalid --security-opt 2: "what=ever"',
    );
    expect(() => parseSecurityOptions(['what'])).toThrow('invalid --security-opt 1: "what"');
  });

  it('refuses security options that would do nothing here', () => {
    const check = (option: string, hasAppArmor = false) =>
      checkSecurityOptions([option], testHost({ hasAppArmor }));
    for (const option of ['label=disable', 'label:disable', 'apparmor=unconfined']) check(option);
    check('apparmor=mine', true);
    expect(() => check('apparmor=mine')).toThrow('AppArmor is not enabled on this machine');
    expect(() => check('label=type:x')).toThrow('SELinux is not supported by this engine');
    expect(() => check('writable-cgroups=true')).toThrow('cgroups cannot be writable');
  });

  it('takes a seccomp profile without rules, and hands on its flags', () => {
    const target = {
      architecture: 'x64',
      capabilities: [],
      kernelRelease: '6.1',
      absentArchitectures: [],
    };
    const flags = ['SECCOMP_FILTER_FLAG_LOG'];
    const profile = { defaultAction: 'SCMP_ACT_ALLOW', flags };
    expect(convertSeccomp(profile, target)).toMatchObject({ ...profile, syscalls: [] });
  });

  it('takes device numbers apart', () => {
    expect(deviceNumbers(0x0103)).toEqual({ major: 1, minor: 3 });
    expect(deviceNumbers(0x12300845)).toEqual({ major: 8, minor: 0x12345 });
  });
});
