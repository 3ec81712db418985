import { describe, expect, it } from 'vitest';
import { imageGcText } from './image-gc.js';
import { parseCommandLine, resolveOptions } from './parse.js';

const flags = (...args: string[]) => parseCommandLine(args).values;

describe('options', () => {
  it('has dockerd-like defaults', () => {
    const options = resolveOptions(flags(), undefined);
    expect(options.dataRoot).toBe('/var/lib/skep');
    expect(options.hosts).toEqual(['unix:///run/skep/skep.sock']);
    expect(options.logLevel).toBe('info');
  });

  it('keeps the default socket under the exec root', () => {
    const options = resolveOptions(flags('--exec-root', '/run/other'), undefined);
    expect(options.hosts).toEqual(['unix:///run/other/skep.sock']);
  });

  it('takes repeated flags and the keys of the file', () => {
    const options = resolveOptions(flags('-H', 'unix:///a.sock', '-H', 'unix:///b.sock'), {
      'insecure-registries': ['10.0.0.0/8'],
      'default-address-pools': [{ base: '10.10.0.0/16', size: 24 }],
    });
    expect(options.hosts).toHaveLength(2);
    expect(options.insecureRegistries).toEqual(['10.0.0.0/8']);
    expect(options.defaultAddressPools).toEqual([{ base: '10.10.0.0/16', size: 24 }]);
  });

  it('allows services nothing of the host unless told to', () => {
    const nothing = { devices: [], privileged: false };
    expect(resolveOptions(flags(), undefined).serviceAccess).toEqual(nothing);
    const given = flags('--allow-service-device', '/dev/fuse,/dev/ttyUSB*');
    const file = { 'allow-privileged-services': true };
    expect(resolveOptions(given, file).serviceAccess).toEqual({
      devices: ['/dev/fuse', '/dev/ttyUSB*'],
      privileged: true,
    });
  });

  it('goes through others’ firewalls unless told not to', () => {
    const iptables = (args: string[], file?: unknown) =>
      resolveOptions(flags(...args), file).iptables;
    expect([iptables([]), iptables(['--iptables']), iptables(['--iptables=true'])]).toEqual([
      true,
      true,
      true,
    ]);
    expect([iptables(['--iptables=false']), iptables([], { iptables: false })]).toEqual([
      false,
      false,
    ]);
  });

  it('keeps images that nobody needs until the disk is full, or for as long as it is told', () => {
    const gc = (...args: string[]) => resolveOptions(flags(...args), undefined).imageGc;
    expect(gc()).toEqual({ highPercent: 85, lowPercent: 80, maxAgeMs: 0 });
    const given = gc('--image-gc-high', '70', '--image-gc-max-age', '1h30m');
    expect(given).toEqual({ highPercent: 70, lowPercent: 70, maxAgeMs: 5_400_000 });
    expect([gc(), given].map(imageGcText)).toEqual([
      'above 85% of the disk, down to 80%',
      'above 70% of the disk, down to 70%; unused for 5400s',
    ]);
  });

  it.each([
    [['--nope'], undefined, "Unknown option '--nope'"],
    [['-H', 'tcp://0.0.0.0:2375'], undefined, 'needs --tlsverify'],
    [['-H', 'http://x'], undefined, 'invalid bind address'],
    [['--tlsverify'], undefined, '--tlsverify needs --tlscacert'],
    [['--log-level', 'loud'], undefined, 'invalid logging level: loud'],
    [['--allow-service-device', 'fuse'], undefined, 'invalid device: fuse is no absolute path'],
    [['--label', 'x'], undefined, 'bad attribute format: x'],
    [['--image-gc-high', '101'], undefined, 'invalid value for --image-gc-high: 101'],
    [['--image-gc-high', '50', '--image-gc-low', '60'], undefined, '--image-gc-low 60 is above'],
    [['--image-gc-max-age', '3 days'], undefined, 'invalid duration for --image-gc-max-age'],
    [['--registry-mirror', 'x'], undefined, 'invalid mirror'],
    [['--default-address-pool', 'base=10.0.0.0/8,size=4'], undefined, 'invalid default address'],
    [['--data-root', '/a'], { 'data-root': '/b' }, 'both as a flag and in the configuration file'],
    [[], { storage: 'x' }, "don't match any configuration option: storage"],
    [[], { labels: 'a=b' }, 'labels must be a list'],
    [[], [], 'must hold a JSON object'],
  ])('refuses %j with file %j', (args, file, text) => {
    expect(() => resolveOptions(flags(...(args as string[])), file)).toThrow(text);
  });
});

describe('the default log', () => {
  it('is a bounded json-file, or what flags or the file say', () => {
    expect(resolveOptions(flags(), undefined).defaultLog).toEqual({
      Type: 'json-file',
      Config: {},
    });
    const given = flags('--log-driver', 'syslog', '--log-opt', 'syslog-address=udp://10.0.0.1:1');
    expect(resolveOptions(given, undefined).defaultLog).toEqual({
      Type: 'syslog',
      Config: { 'syslog-address': 'udp://10.0.0.1:1' },
    });
    const file = { 'log-driver': 'local', 'log-opts': { 'max-size': '1m' } };
    expect(resolveOptions(flags(), file).defaultLog).toEqual({
      Type: 'local',
      Config: { 'max-size': '1m' },
    });
  });

  it.each([
    [['--log-opt', 'x=1'], undefined, "unknown log opt 'x' for json-file log driver"],
    [['--log-opt', 'x'], undefined, 'invalid logging opt: x'],
    [['--log-driver', 'x'], undefined, "no log driver named 'x' is registered"],
    [[], { 'log-opts': ['max-size=1m'] }, 'log-opts must be a map of texts'],
  ])('is refused when it is wrong: %j %j', (args, file, text) => {
    expect(() => resolveOptions(flags(...args), file)).toThrow(text);
  });
});
