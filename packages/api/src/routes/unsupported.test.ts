import { describe, expect, it } from 'vitest';
import { refuseUnsupported, refuseUnsupportedConfig } from './unsupported.js';

describe('refuseUnsupported', () => {
  it('takes what clients send when nobody asked for it', () => {
    const nothing = {
      Devices: [],
      DeviceRequests: null,
      KernelMemory: 0,
      BlkioWeight: 0,
      UTSMode: '',
    };
    expect(() => refuseUnsupported({ ...nothing, StorageOpt: {}, Runtime: 'runc' })).not.toThrow();
  });

  it.each([
    [{ Links: ['db:db'] }, '--link is not supported by this engine'],
    [{ DeviceRequests: [{ Count: -1 }] }, '--gpus is not supported by this engine'],
    [{ KernelMemory: 1024 }, '--kernel-memory is not supported by this engine'],
    [{ StorageOpt: { size: '1G' } }, '--storage-opt is not supported by this engine'],
    [{ Runtime: 'fast' }, 'unknown or invalid runtime name: fast'],
  ])('refuses %j', (hostConfig, text) => {
    expect(() => refuseUnsupported(hostConfig)).toThrow(text);
  });
});

describe('refuseUnsupportedConfig', () => {
  const inNetwork = (endpoint: object) => ({
    NetworkingConfig: { EndpointsConfig: { bridge: endpoint } },
  });

  it('takes what clients send when nobody asked for it', () => {
    const endpoint = {
      DriverOpts: {},
      IPAMConfig: null,
      Links: null,
      MacAddress: '',
      GwPriority: 0,
    };
    expect(() => refuseUnsupportedConfig({ MacAddress: '', ...inNetwork(endpoint) })).not.toThrow();
    expect(() => refuseUnsupportedConfig({ NetworkingConfig: null })).not.toThrow();
  });

  it.each([
    [{ NetworkDisabled: true }, 'use --network none'],
    [{ MacAddress: '02:42:ac:11:00:99' }, '--mac-address is not supported by this engine'],
    [inNetwork({ MacAddress: '02:42:ac:11:00:99' }), '--mac-address is not supported'],
    [inNetwork({ DriverOpts: { a: 'b' } }), 'driver-opt of --network is not supported'],
    [inNetwork({ GwPriority: 5 }), 'gw-priority of --network is not supported'],
    [inNetwork({ IPAMConfig: { LinkLocalIPs: ['169.254.1.1'] } }), '--link-local-ip is not'],
  ])('refuses %j', (body, text) => {
    expect(() => refuseUnsupportedConfig(body)).toThrow(text);
  });
});
