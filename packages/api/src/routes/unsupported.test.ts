import { describe, expect, it } from 'vitest';
import { refuseUnsupported } from './unsupported.js';

describe('refuseUnsupported', () => {
  it('takes what clients send when nobody asked for it', () => {
    const nothing = { Devices: [], DeviceRequests: null, BlkioWeight: 0, UTSMode: '' };
    expect(() => refuseUnsupported({ ...nothing, StorageOpt: {}, Runtime: 'runc' })).not.toThrow();
  });

  it.each([
    [{ Links: ['db:db'] }, '--link is not supported by this engine'],
    [{ DeviceRequests: [{ Count: -1 }] }, '--gpus is not supported by this engine'],
    [{ StorageOpt: { size: '1G' } }, '--storage-opt is not supported by this engine'],
    [{ Runtime: 'fast' }, 'unknown or invalid runtime name: fast'],
  ])('refuses %j', (hostConfig, text) => {
    expect(() => refuseUnsupported(hostConfig)).toThrow(text);
  });
});
