import { SimClock, SimDisk } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { HostServers } from './host-servers.js';
import { type ServerChoice, serversFor, serversIn } from './servers.js';

function chosen(more: Partial<ServerChoice>): string[] {
  const choice = { given: [], host: [], namespace: 'box', hasWayOut: true, ...more };
  return serversFor(choice).map(({ address, namespace }) => `${namespace || 'host'} ${address}`);
}

describe('servers', () => {
  it.each<[string, Partial<ServerChoice>, string[]]>([
    ['of the host', { host: ['192.0.2.1'] }, ['box 192.0.2.1']],
    ['on the host itself', { host: ['127.0.0.53'] }, ['host 127.0.0.53']],
    [
      'that only the host reaches',
      { host: ['::1', '2001:db8::1', 'fe80::1%eth0'] },
      ['host ::1', 'host 2001:db8::1', 'host fe80::1%eth0'],
    ],
    ['of a container', { given: ['1.1.1.1'], host: ['192.0.2.1'] }, ['box 1.1.1.1']],
    ['within a container', { given: ['127.0.0.1', '::1'] }, ['box 127.0.0.1', 'box ::1']],
    [
      'that are the container’s own name server',
      { given: ['127.0.0.11', '1.1.1.1'] },
      ['box 1.1.1.1'],
    ],
    ['that are none', { given: ['dns.example', ''] }, []],
    ['where the host has none', {}, ['box 8.8.8.8', 'box 8.8.4.4']],
    [
      'beyond the third',
      { given: ['1.0.0.1', '1.0.0.2', '1.0.0.3', '1.0.0.4'] },
      ['box 1.0.0.1', 'box 1.0.0.2', 'box 1.0.0.3'],
    ],
  ])('%s', (_, choice, expected) => {
    expect(chosen(choice)).toEqual(expected);
  });

  it('are never asked from the host for a container without a way out', () => {
    const host = ['127.0.0.53', '2001:db8::1', '192.0.2.1'];
    expect(chosen({ host, hasWayOut: false })).toEqual(['box 192.0.2.1']);
    expect(chosen({ given: ['10.0.1.53'], host, hasWayOut: false })).toEqual(['box 10.0.1.53']);
  });
});

it('servers are read out of a resolv.conf', () => {
  const text =
    '# nameserver 1.1.1.1\n nameserver\t192.0.2.1  \nnameserver x\nsearch lan\nnameserver';
  expect(serversIn(text)).toEqual(['192.0.2.1']);
  expect(serversIn('')).toEqual([]);
});

it('what the host says is read again after a while', async () => {
  const disk = new SimDisk();
  const clock = new SimClock();
  const servers = new HostServers({ disk, clock });
  expect(await servers.get()).toEqual([]);
  await disk.makeDirectory('/etc');
  await disk.writeFileAtomic('/etc/resolv.conf', Buffer.from('nameserver 192.0.2.7\n'));
  expect(await servers.get()).toEqual([]);
  await clock.advance(5_000);
  expect(await servers.get()).toEqual(['192.0.2.7']);
});
