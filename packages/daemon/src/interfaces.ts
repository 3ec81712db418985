import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { NetworkInterface } from '@skep/api';

/** This machine's interfaces that are up and have an address. */
export function systemInterfaces(): NetworkInterface[] {
  return Object.entries(networkInterfaces()).map(([name, addresses = []]) => ({
    name,
    up: true,
    loopback: addresses.some(({ internal }) => internal),
    // The kernel gives this link to whatever a driver stands behind: real and virtio cards, not veth or bridges.
    device: existsSync(`/sys/class/net/${name}/device`),
    addresses: addresses.map(({ address }) => address),
  }));
}
