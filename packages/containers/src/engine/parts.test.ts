import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TaskEndpoint } from '../contract/config.js';
import type { SandboxState } from '../contract/networking.js';
import type { EndpointState } from '../contract/state.js';
import { parseMountOptions, shortenOverlay } from '../linux/kernel.js';
import { scopedPath } from '../linux/scoped-path.js';
import { signalNumber } from '../linux/signals.js';
import { initialStatus } from '../records/record.js';
import { hostsFile, resolvFile, updatedHosts } from '../run/network-files.js';
import { testRecord } from '../spec/fixtures.js';
import { blockEntriesV1, blockEntriesV2 } from '../stats/sample.js';
import { selectProcesses } from '../stats/top.js';
import { matchLabels, untilMs } from './filters.js';
import { Gate, OperationQueue } from './operation-queue.js';
import { restartDelayMs } from './restart-policy.js';
import { humanDuration, statusText } from './status-text.js';

describe('status texts', () => {
  const now = Date.parse('2026-01-01T01:00:00Z');

  it('read as in docker ps', () => {
    const { state } = initialStatus();
    expect(statusText(state, now)).toBe('Created');
    const up = { ...state, Running: true, StartedAt: '2026-01-01T00:59:57Z' };
    expect(statusText(up, now)).toBe('Up 3 seconds');
    const Health = { Status: 'starting' as const, FailingStreak: 0, Log: [] };
    expect(statusText({ ...up, Health }, now)).toBe('Up 3 seconds (health: starting)');
    expect(statusText({ ...up, Paused: true }, now)).toBe('Up 3 seconds (Paused)');
    const exited = { ...state, Status: 'exited' as const, FinishedAt: '2026-01-01T00:58:00Z' };
    expect(statusText({ ...exited, ExitCode: 2 }, now)).toBe('Exited (2) 2 minutes ago');
  });

  it.each([
    [500, 'Less than a second'],
    [1000, '1 second'],
    [60_000, 'About a minute'],
    [3_600_000, 'About an hour'],
    [47 * 3_600_000, '47 hours'],
    [72 * 3_600_000, '3 days'],
    [21 * 86_400_000, '3 weeks'],
    [90 * 86_400_000, '3 months'],
  ])('%i ms is %s', (ms, text) => {
    expect(humanDuration(ms)).toBe(text);
  });
});

describe('restart delays', () => {
  const input = {
    policy: { Name: 'always' as const, MaximumRetryCount: 0 },
    exitCode: 0,
    restartCount: 0,
    manuallyStopped: false,
    ranMs: 100,
    lastDelayMs: 0,
  };

  it('double up to a minute and start over after a long run', () => {
    expect(restartDelayMs(input)).toBe(100);
    expect(restartDelayMs({ ...input, lastDelayMs: 100 })).toBe(200);
    expect(restartDelayMs({ ...input, lastDelayMs: 51_200 })).toBe(60_000);
    expect(restartDelayMs({ ...input, lastDelayMs: 51_200, ranMs: 10_000 })).toBe(100);
    expect(restartDelayMs({ ...input, manuallyStopped: true })).toBeUndefined();
  });

  it('follow the exit code with on-failure', () => {
    const policy = { Name: 'on-failure' as const, MaximumRetryCount: 3 };
    expect(restartDelayMs({ ...input, policy })).toBeUndefined();
    expect(restartDelayMs({ ...input, policy, exitCode: 1, restartCount: 2 })).toBe(100);
    expect(restartDelayMs({ ...input, policy, exitCode: 1, restartCount: 3 })).toBeUndefined();
  });
});

describe('scopedPath', () => {
  it('never leaves the root', () => {
    const root = mkdtempSync(join(tmpdir(), 'skep-scope-'));
    try {
      mkdirSync(join(root, 'etc'));
      symlinkSync('/etc/target', join(root, 'absolute'));
      symlinkSync('../../../../etc/passwd', join(root, 'etc/escape'));
      symlinkSync('loop', join(root, 'loop'));
      expect(scopedPath(root, '/absolute')).toBe(join(root, 'etc/target'));
      expect(scopedPath(root, '/etc/escape')).toBe(join(root, 'etc/passwd'));
      expect(scopedPath(root, '../../x')).toBe(join(root, 'x'));
      expect(() => scopedPath(root, '/loop')).toThrow('too many links');
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});

describe('mount data', () => {
  it('separates flags from data', () => {
    expect(parseMountOptions(['ro', 'nosuid', 'size=1k', 'rw', 'index=off'])).toEqual({
      flags: 3,
      data: 'size=1k,index=off',
    });
  });

  it('is made shorter by relative layers', () => {
    expect(shortenOverlay('lowerdir=/s/2/fs:/s/1/fs,upperdir=/s/3/fs')).toEqual({
      directory: '/s',
      data: 'lowerdir=2/fs:1/fs,upperdir=/s/3/fs',
    });
    expect(shortenOverlay('lowerdir=/s/2/fs:/t/1/fs')).toBeUndefined();
  });
});

describe('network files', () => {
  const endpoint = { IPAddress: '10.0.0.2', GlobalIPv6Address: '', Gateway: '10.0.0.1' };
  const sandbox = {
    sandboxId: 's',
    netnsPath: '/n',
    endpoints: { bridge: endpoint },
    ports: {},
    nameservers: [],
    hostGateway: '10.0.0.1',
  };
  const network = sandbox as unknown as SandboxState;
  const served = { ...network, nameservers: ['127.0.0.11'] };

  it('name the container and extra hosts', () => {
    const record = testRecord({
      Hostname: 'web',
      HostConfig: { ExtraHosts: ['gate:host-gateway', 'x:1.2.3.4'] },
    });
    const lines = hostsFile(record, network, undefined).split('\n');
    expect(lines).toContain('10.0.0.1\tgate');
    expect(lines).toContain('1.2.3.4\tx');
    expect(lines).toContain('10.0.0.2\tweb');
    expect(lines[0]).toBe('127.0.0.1\tlocalhost');
  });

  it.each([
    ['box.lan', '', 'box.lan box'],
    ['box', 'lan', 'box.lan box'],
    ['box.eu', 'lan', 'box.eu.lan box'],
  ])('have the whole name of %s in %s, then its first part', (Hostname, Domainname, names) => {
    const record = testRecord({ Hostname, Domainname });
    expect(hostsFile(record, network, undefined)).toContain(`10.0.0.2\t${names}\n`);
  });

  it('name the address in the ingress network last', () => {
    const endpoints = [{ networkId: 'mesh', ingress: true }] as TaskEndpoint[];
    const record = { ...testRecord({ Hostname: 'web' }), task: { endpoints, files: [] } };
    const mesh = { ...endpoint, NetworkID: 'mesh', IPAddress: '10.0.0.9' } as EndpointState;
    const own = { ...endpoint, NetworkID: 'net', IPAddress: '10.0.1.9' } as EndpointState;
    const text = hostsFile(record, { ...network, endpoints: { mesh, own } }, undefined);
    expect(text.endsWith('\n10.0.1.9\tweb\n10.0.0.9\tweb\n')).toBe(true);
  });

  it('follow the container to other networks, and keep what somebody wrote into them', () => {
    const record = testRecord({ Hostname: 'web' });
    const front = { ...endpoint, IPAddress: '10.0.5.7' } as EndpointState;
    const after = { ...network, endpoints: { front } };
    const edited = `192.0.2.1\tmine\n${hostsFile(record, network, undefined)}`;
    const text = updatedHosts(edited, record, { before: network, after });
    expect(text).toContain('192.0.2.1\tmine\n');
    expect(text).toContain('127.0.0.1\tlocalhost\n');
    expect(text).not.toContain('10.0.0.2');
    expect(text.endsWith('\n10.0.5.7\tweb\n')).toBe(true);
  });

  it.each<[string, string[], string[], string]>([
    ['', [], [], 'search lan\noptions edns0 ndots:0\n'],
    ['and leaves the given ones to it', ['9.9.9.9'], [], 'search lan\noptions edns0 ndots:0\n'],
    ['with options', [], ['timeout:2'], 'search lan\noptions timeout:2 ndots:0\n'],
    ['with dots', [], ['ndots:2'], 'search lan\noptions ndots:2\n'],
  ])('name the server of the networks alone %s', (_, Dns, DnsOptions, rest) => {
    const host = 'nameserver 192.0.2.53\nsearch lan\noptions edns0 ndots:5\n';
    const record = testRecord({ HostConfig: { Dns, DnsOptions } });
    expect(resolvFile(record, served, true, host)).toBe(`nameserver 127.0.0.11\n${rest}`);
  });

  it('leave out resolvers that only the host can reach', () => {
    const host = 'nameserver 127.0.0.53\nsearch lan\noptions edns0\n';
    expect(resolvFile(testRecord(), network, true, host)).toBe(
      'nameserver 8.8.8.8\nnameserver 8.8.4.4\nsearch lan\noptions edns0\n',
    );
    expect(resolvFile(testRecord(), network, false, host)).toContain('nameserver 127.0.0.53');
    const own = testRecord({ HostConfig: { Dns: ['9.9.9.9'], DnsSearch: ['.'] } });
    expect(resolvFile(own, network, true, host)).toBe('nameserver 9.9.9.9\noptions edns0\n');
  });
});

describe('small parts', () => {
  it('know signals by name and number', () => {
    expect(['TERM', 'sigkill', '1', 'RTMIN+3', 'SIGRTMAX-1'].map(signalNumber)).toEqual([
      15, 9, 1, 37, 63,
    ]);
    for (const bad of ['', '0', '65', 'NOPE', 'RTMIN+99'])
      expect(() => signalNumber(bad)).toThrow('invalid signal');
  });

  it('match labels and times', () => {
    expect(matchLabels({ a: '1', b: '' }, ['a=1', 'b'])).toBe(true);
    expect(matchLabels({ a: '1' }, ['a=2'])).toBe(false);
    expect(untilMs('1h30m', 10_000_000)).toBe(10_000_000 - 5_400_000);
    expect(() => untilMs('soon', 0)).toThrow("invalid filter 'until=soon'");
  });

  it('read block statistics of both cgroup versions', () => {
    expect(blockEntriesV1('8:0 Read 10\n8:0 Write 5\nTotal 15\n')).toHaveLength(2);
    expect(blockEntriesV2('8:0 rbytes=10 wbytes=5 rios=1\n')).toEqual([
      { major: 8, minor: 0, op: 'read', value: 10 },
      { major: 8, minor: 0, op: 'write', value: 5 },
    ]);
  });

  it('select rows of ps', () => {
    const output = 'UID PID CMD\nroot 1 init --now\nroot 22 sleep 100\n';
    expect(selectProcesses(output, [22])).toEqual({
      Titles: ['UID', 'PID', 'CMD'],
      Processes: [['root', '22', 'sleep 100']],
    });
  });

  it('run one at a time in a queue, and no more than allowed through a gate', async () => {
    const queue = new OperationQueue();
    const order: number[] = [];
    const failing = queue.run(async () => {
      order.push(1);
      throw new Error('x');
    });
    const second = queue.run(async () => order.push(2));
    await expect(failing).rejects.toThrow('x');
    await second;
    expect(order).toEqual([1, 2]);
    const gate = new Gate(2);
    let running = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
    };
    await Promise.all(Array.from({ length: 9 }, () => gate.run(work)));
    expect(most).toBe(2);
  });
});
