import { describe, expect, it } from 'vitest';
import { type AddressSource, advertiseIp, dataPathIp, listenIp } from './choose.js';
import { joinHostPort, splitHostPort } from './host-port.js';
import type { NetworkInterface } from './interfaces.js';

const face = (name: string, ...addresses: string[]): NetworkInterface => ({
  name,
  up: true,
  loopback: false,
  device: true,
  addresses,
});
const source = (interfaces: NetworkInterface[], changes: Partial<AddressSource> = {}) => ({
  interfaces: () => interfaces,
  defaultAdvertiseAddress: '',
  ownSubnets: () => ['172.17.0.0/16'],
  ...changes,
});
const loopback = { ...face('lo', '127.0.0.1', '::1'), loopback: true };

describe('the address to advertise', () => {
  it('is the one given, or that of the interface given, IPv4 first', () => {
    const system = source([loopback, face('eth0', 'fe80::1', 'fd00::1', '10.0.0.1')]);
    expect(advertiseIp(system, '192.0.2.1')).toBe('192.0.2.1');
    expect(() => advertiseIp(system, 'eth0')).toThrow(
      'interface eth0 has more than one IPv6 address (fe80::1 and fd00::1)',
    );
    expect(advertiseIp(source([face('eth1', 'fd00::1', '10.0.0.2')]), 'eth1')).toBe('10.0.0.2');
    expect(() => advertiseIp(source([face('eth2')]), 'eth2')).toThrow(
      'interface eth2 has no usable IPv4 or IPv6 address',
    );
  });

  it('is the configured default, else the only one of the system', () => {
    const system = [loopback, face('eth0', '10.0.0.1', 'fe80::1')];
    expect(advertiseIp(source(system, { defaultAdvertiseAddress: '10.0.0.9' }), '')).toBe(
      '10.0.0.9',
    );
    expect(advertiseIp(source(system), '')).toBe('10.0.0.1');
    expect(() => advertiseIp(source([loopback]), '')).toThrow(
      "could not find the system's IP address",
    );
  });

  it('is not guessed among several', () => {
    const two = source([face('eth0', '10.0.0.1'), face('eth1', '10.0.1.1')]);
    expect(() => advertiseIp(two, '')).toThrow(
      'could not choose an IP address to advertise since this system has multiple addresses on different interfaces (10.0.0.1 on eth0 and 10.0.1.1 on eth1)',
    );
    expect(() => advertiseIp(source([face('eth0', '10.0.0.1', '10.0.0.2')]), '')).toThrow(
      'could not choose an IP address to advertise since this system has multiple addresses on interface eth0 (10.0.0.1 and 10.0.0.2)',
    );
  });

  it('is never that of a bridge of ours, also where there are no devices', () => {
    const veth = { ...face('eth0', '10.0.0.1'), device: false };
    const bridge = { ...face('docker0', '172.17.0.1'), device: false };
    expect(advertiseIp(source([veth, bridge]), '')).toBe('10.0.0.1');
    expect(advertiseIp(source([{ ...veth, up: false }, face('eth1', '10.0.0.3')]), '')).toBe(
      '10.0.0.3',
    );
  });
});

describe('other addresses', () => {
  it('may be left open where that has a meaning', () => {
    const system = source([face('eth0', '10.0.0.1')]);
    expect(listenIp(system, '0.0.0.0')).toBe('0.0.0.0');
    expect(listenIp(system, 'eth0')).toBe('10.0.0.1');
    expect(dataPathIp(system, '')).toBe('');
    expect(() => dataPathIp(system, '::')).toThrow('data path address must be a non-zero');
  });

  it.each([
    ['10.0.0.1', '10.0.0.1', 2377],
    ['10.0.0.1:99', '10.0.0.1', 99],
    ['eth0:99', 'eth0', 99],
    ['[fd00::1]:99', 'fd00::1', 99],
    ['fd00::1', 'fd00::1', 2377],
    [':99', '', 99],
  ])('%s is split into host and port', (text, host, port) => {
    expect(splitHostPort(text, 2377)).toEqual({ host, port });
  });

  it('refuses what is neither, and writes IPv6 in brackets', () => {
    expect(() => splitHostPort('a:b', 1)).toThrow('could not parse address a:b');
    expect(() => splitHostPort('a:70000', 1)).toThrow('could not parse address a:70000');
    expect(joinHostPort('fd00::1', 7)).toBe('[fd00::1]:7');
  });
});
