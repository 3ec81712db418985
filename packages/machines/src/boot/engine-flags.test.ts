import { describe, expect, it } from 'vitest';
import { engineCommand, engineFlag } from './engine-flags.js';

describe('engine options', () => {
  it.each([
    ['log-level=debug', '--log-level=debug'],
    ['--log-level=debug', '--log-level=debug'],
    ['label=a=b c', '--label=a=b c'],
    ['tlsverify', '--tlsverify'],
    ['insecure-registry=', '--insecure-registry='],
  ])('%j is the flag %j', (option, flag) => expect(engineFlag(option)).toBe(flag));

  it.each(['', '=x', '-', 'a b=c', 'Host=x', '--exec-root=/x', 'data-root=/x', 'pidfile=x'])(
    'refuses %j',
    (option) => expect(() => engineFlag(option)).toThrow(/engine option|its own/),
  );
});

describe('the command of an engine', () => {
  it("keeps to the machine's own directories, and lets flags come last", () => {
    const skepd = engineCommand('skepd', ['--log-level=debug'], '/opt/bin/skepd');
    expect(skepd[0]).toBe('/opt/bin/skepd');
    expect(skepd).toContain('--data-root=/var/lib/skep');
    expect(skepd.at(-1)).toBe('--log-level=debug');
    const dockerd = engineCommand('dockerd', [], '/opt/bin/skepd');
    expect(dockerd.slice(0, 2)).toEqual(['dockerd', '--data-root=/var/lib/skep/docker']);
    expect(dockerd).toContain('--host=unix:///run/skep/skep.sock');
    expect(engineCommand('none', [], '/opt/bin/skepd')).toEqual([]);
  });
});
