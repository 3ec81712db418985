import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { CreateRequest, HostConfig, MountRequest } from '../contract/config.js';
import type { MountRecord } from '../records/record.js';
import { testHost, testRecord } from '../spec/fixtures.js';
import { completeHostConfig, mergeConfig } from './merge.js';
import { parseBind, wantedMounts } from './mount-requests.js';
import { checkPlatform } from './platform.js';
import { validateContainer } from './validate.js';
import { inheritedMounts } from './volumes-from.js';
import { creationWarnings } from './warnings.js';

describe('mergeConfig', () => {
  const image = { Entrypoint: ['/entry'], Cmd: ['default'], Env: ['A=1'], User: 'web' };
  const command = (request: CreateRequest) => {
    const { Entrypoint, Cmd } = mergeConfig('f'.repeat(64), request, image);
    return [...(Entrypoint ?? []), ...(Cmd ?? [])];
  };

  it('combines entrypoint and command as Docker does', () => {
    expect(command({})).toEqual(['/entry', 'default']);
    expect(command({ Cmd: ['own'] })).toEqual(['/entry', 'own']);
    expect(command({ Entrypoint: ['/own'] })).toEqual(['/own']);
    expect(command({ Entrypoint: ['/own'], Cmd: ['x'] })).toEqual(['/own', 'x']);
    expect(command({ Entrypoint: [''], Cmd: ['x'] })).toEqual(['x']);
  });

  it('takes the rest from the image unless given', () => {
    const merged = mergeConfig('f'.repeat(64), { Env: ['B=2'] }, image);
    expect(merged).toMatchObject({ User: 'web', Env: ['A=1', 'B=2'], Hostname: 'ffffffffffff' });
  });

  it('refuses an image without command', () => {
    expect(() => mergeConfig('f'.repeat(64), {}, {})).toThrow('no command specified');
  });

  it("gives a container its id as a name, and the host's on the host's network", () => {
    const request = { Cmd: ['sh'] };
    expect(mergeConfig('f'.repeat(64), request, {}).Hostname).toBe('f'.repeat(12));
    const onHost = { ...request, HostConfig: { NetworkMode: 'host' } };
    expect(mergeConfig('f'.repeat(64), onHost, {}).Hostname).toBe(hostname());
  });
});

describe('validateContainer', () => {
  const refusal = (HostConfig: Partial<HostConfig>, config: CreateRequest = {}) => {
    const record = testRecord({ ...config, HostConfig });
    return () => validateContainer(record.config, record.hostConfig, testHost());
  };

  it.each<[Partial<HostConfig>, string]>([
    [{ Memory: 1000 }, 'Minimum memory limit allowed is 6MB'],
    [{ NanoCpus: 3e9 }, 'range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
    [{ MemorySwap: 1e8 }, 'You should always set the Memory limit when using Memoryswap limit'],
    [{ LogConfig: { Type: 'fluentd', Config: {} } }, "no log driver named 'fluentd' is registered"],
    [{ Isolation: 'hyperv' }, 'Invalid isolation: "hyperv" - linux only supports'],
    [{ UsernsMode: 'x' }, 'invalid user namespace mode: x'],
    [{ CgroupnsMode: 'x' }, 'invalid cgroup namespace mode: x'],
    [{ UTSMode: 'x' }, 'invalid UTS mode: x'],
    [{ Annotations: { '': 'x' } }, 'the empty string is not permitted as an annotation key'],
    [{ SecurityOpt: ['apparmor=x'] }, 'AppArmor is not enabled on this machine'],
    [{ CapAdd: ['X'] }, 'invalid capability: "X"'],
    [{ DeviceCgroupRules: ['c 1:3'] }, "invalid device cgroup rule format: 'c 1:3'"],
    [
      { Devices: [{ PathOnHost: '/dev/a', PathInContainer: '/dev/a', CgroupPermissions: 'rr' }] },
      'invalid device mode: rr',
    ],
    [
      { AutoRemove: true, RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } },
      "can't create 'AutoRemove' container with restart policy",
    ],
  ])('refuses %j', (hostConfig, message) => {
    expect(refusal(hostConfig)).toThrow(message);
  });

  it('refuses an image for another platform', () => {
    const image = { id: '', chainId: '', config: {}, architecture: 'amd64', os: 'linux' };
    for (const wanted of ['linux', 'amd64', 'linux/x86_64']) checkPlatform('web', wanted, image);
    expect(() => checkPlatform('web', 'linux/arm64', image)).toThrow(
      'image with reference web was found but does not provide the specified platform (linux/arm64)',
    );
    expect(() => checkPlatform('web', 'a b', image)).toThrow('unknown operating system');
  });

  it('says what a container is made without', () => {
    const warnings = (HostConfig: Partial<HostConfig>, cgroupMode: 'v1' | 'v2') => {
      const { hostConfig } = testRecord({ HostConfig });
      return creationWarnings(hostConfig, testHost({ cgroupMode })).join();
    };
    expect(warnings({ MemorySwappiness: 5 }, 'v2')).toContain('Memory swappiness discarded');
    expect(warnings({ OomKillDisable: true }, 'v2')).toContain('OomKillDisable discarded');
    expect(warnings({ OomKillDisable: true }, 'v1')).toContain('no memory limit is set');
    const ports = { '80/tcp': [{ HostIp: '', HostPort: '80' }] };
    expect(warnings({ NetworkMode: 'host', PortBindings: ports }, 'v1')).toContain('discarded');
    expect(warnings({ MemorySwappiness: 5, PortBindings: ports }, 'v1')).toBe('');
  });

  it('refuses bad settings of the process', () => {
    expect(refusal({}, { WorkingDir: 'rel' })).toThrow('it needs to be an absolute path');
    expect(refusal({}, { StopSignal: 'SIGNOPE' })).toThrow('invalid signal: SIGNOPE');
    expect(refusal({})).not.toThrow();
  });
});

describe('completeHostConfig', () => {
  const logConfig = { Type: 'json-file', Config: { 'max-size': '1m' } };
  const logOf = (LogConfig: HostConfig['LogConfig']) =>
    completeHostConfig({ LogConfig }, { logConfig }).LogConfig;

  it('applies options without a driver to the default one', () => {
    const options = { 'max-file': '2' };
    const both = { ...logConfig.Config, ...options };
    expect(logOf({ Type: '', Config: options })).toEqual({ Type: 'json-file', Config: both });
    expect(logOf({ Type: 'json-file', Config: { 'max-size': '2m' } }).Config).toEqual({
      'max-size': '2m',
    });
    expect(logOf({ Type: '', Config: {} })).toEqual(logConfig);
    expect(logOf({ Type: 'none', Config: {} })).toEqual({ Type: 'none', Config: {} });
    const cached = { Type: 'local', Config: { 'cache-max-file': '2', 'max-file': '4' } };
    const other = { LogConfig: { Type: 'journald', Config: { tag: 'x' } } };
    expect(completeHostConfig(other, { logConfig: cached }).LogConfig.Config).toEqual({
      'cache-max-file': '2',
      tag: 'x',
    });
  });

  it('takes null for not given', () => {
    const nulls = { PortBindings: null, CapAdd: null, Mounts: null } as unknown as HostConfig;
    expect(completeHostConfig(nulls, { logConfig })).toMatchObject({
      PortBindings: {},
      Mounts: [],
    });
  });
});

describe('mount requests', () => {
  it('reads binds and volumes', () => {
    expect(parseBind('/a:/b:ro,rshared')).toMatchObject({
      Type: 'bind',
      Source: '/a',
      Destination: '/b',
      RW: false,
      Propagation: 'rshared',
    });
    expect(parseBind('data:/b:nocopy')).toMatchObject({
      Type: 'volume',
      Name: 'data',
      noCopy: true,
    });
    expect(parseBind('/only')).toMatchObject({ Type: 'volume', anonymous: true });
  });

  it.each([
    ['/a:/b:zz', 'invalid mode: zz'],
    ['/a:b', "invalid mount path: 'b' mount path must be absolute"],
    ['/a:b', 'invalid volume specification: \'/a:b\': invalid mount config for type "bind": '],
    ['/a::/b', 'invalid volume specification'],
    ['/a:ro', "invalid volume specification: '/a:ro'"],
    ['/a:/b:ro,rw', 'invalid mode: ro,rw'],
    ['/a:/b:nocopy', 'field VolumeOptions must not be specified'],
    ['v1:/b:shared', 'field BindOptions must not be specified'],
    ['/a:/', "destination can't be '/'"],
  ])('refuses %s', (text, message) => {
    expect(() => parseBind(text)).toThrow(message);
  });

  it('refuses two mounts on one point and gives way to the user over the image', () => {
    const record = testRecord({ Volumes: { '/data': {}, '/other': {} } });
    record.hostConfig.Binds = ['/a:/data'];
    const mounts = wantedMounts(record.config, record.hostConfig);
    expect(mounts.map((mount) => [mount.Type, mount.Destination])).toEqual([
      ['bind', '/data'],
      ['volume', '/other'],
    ]);
    record.hostConfig.Binds.push('/b:/data');
    expect(() => wantedMounts(record.config, record.hostConfig)).toThrow(
      'Duplicate mount point: /data',
    );
  });

  it('takes over those of other containers where it has none of its own', () => {
    const mount = { Mode: '', Propagation: '', RW: true };
    const others: Record<string, MountRecord[]> = {
      db: [
        { ...mount, Type: 'volume', Name: 'data', Source: '', Destination: '/data' },
        { ...mount, Type: 'bind', Source: '/etc', Destination: '/etc', RW: false },
        { ...mount, Type: 'tmpfs', Source: '', Destination: '/tmp' },
      ],
    };
    const inherited = (text: string) => inheritedMounts([text], (name) => others[name] ?? []);
    const record = testRecord({ HostConfig: { Binds: ['/a:/etc'] } });
    expect(wantedMounts(record.config, record.hostConfig, inherited('db:ro'))).toMatchObject([
      { Source: '/a', Destination: '/etc', RW: true },
      { Name: 'data', Destination: '/data', RW: false, noCopy: true },
    ]);
    expect(inherited('db:rw').map(({ RW }) => RW)).toEqual([true, false]);
    expect(() => inherited('db:shared')).toThrow('invalid mode: shared');
    expect(() => inherited('')).toThrow('volumes-from specification cannot be an empty string');
  });

  it('understands the long form', () => {
    const record = testRecord();
    record.hostConfig.Mounts = [
      { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 4096, Mode: 0o1777 } },
      {
        Type: 'volume',
        Source: 'v',
        Target: '/v',
        VolumeOptions: { Subpath: 'x/y' },
        ReadOnly: true,
      },
    ];
    expect(wantedMounts(record.config, record.hostConfig)).toMatchObject([
      { tmpfsOptions: ['size=4096', 'mode=1777'] },
      { Name: 'v', subpath: 'x/y', RW: false },
    ]);
    record.hostConfig.Mounts = [
      { Type: 'image', Source: 'web', Target: '/i', ImageOptions: { Subpath: 'a' } },
      { Type: 'tmpfs', Target: '/t', TmpfsOptions: { Options: [['exec']] } },
    ];
    expect(wantedMounts(record.config, record.hostConfig)).toMatchObject([
      { Type: 'image', Source: 'web', subpath: 'a', RW: true },
      { tmpfsOptions: ['exec'] },
    ]);
  });

  const target = { Target: '/x' };
  it.each<[MountRequest, string]>([
    [{ Type: 'bind', Target: '' }, 'field Target must not be empty'],
    [{ Type: 'bind', Target: 'x' }, "invalid mount path: 'x' mount path must be absolute"],
    [{ Type: 'bind', Target: '/..' }, "invalid specification: destination can't be '/'"],
    [{ Type: 'bind', ...target }, 'field Source must not be empty'],
    [{ Type: 'bind', Source: 'a', ...target }, "invalid mount path: 'a' mount path must be"],
    [
      { Type: 'bind', Source: '/a', ...target, BindOptions: { Propagation: 'odd' } },
      'invalid propagation mode: odd',
    ],
    [
      { Type: 'bind', Source: '/a', ...target, VolumeOptions: {} },
      'field VolumeOptions must not be specified',
    ],
    [
      { Type: 'bind', Source: '/a', ...target, BindOptions: { ReadOnlyForceRecursive: true } },
      'mount options conflict: !ReadOnly && BindOptions.ReadOnlyForceRecursive',
    ],
    [{ Type: 'volume', ...target, BindOptions: {} }, 'field BindOptions must not be specified'],
    [
      { Type: 'volume', ...target, ReadOnly: true },
      'must not set ReadOnly mode when using anonymous volumes',
    ],
    [
      { Type: 'volume', ...target, VolumeOptions: { Subpath: 'a' } },
      'must not set Subpath when using anonymous volumes',
    ],
    [
      { Type: 'volume', Source: 'v', ...target, VolumeOptions: { Subpath: 'a/../../b' } },
      'subpath must be a relative path within the volume',
    ],
    [{ Type: 'tmpfs', Source: 'v', ...target }, 'field Source must not be specified'],
    [{ Type: 'tmpfs', ...target, TmpfsOptions: { Options: [['suid']] } }, 'invalid option: suid'],
    [{ Type: 'image', ...target }, 'field Source must not be empty'],
    [{ Type: 'npipe' as 'bind', Source: 'a', ...target }, 'mount type unknown'],
    [{ Type: 'tmpfs', Consistency: 'odd', ...target }, 'invalid consistency: odd'],
    [{ Type: 'cluster' as 'bind', Source: 'a', ...target }, 'mount type unknown'],
  ])('refuses %j', (request, text) => {
    const record = testRecord();
    record.hostConfig.Mounts = [request];
    expect(() => wantedMounts(record.config, record.hostConfig)).toThrow(text);
  });
});
