import { closeSync, openSync } from 'node:fs';
import { expect, it } from 'vitest';
import { closeSocket, openSocket, socketProtocol } from './libc.js';
import { LowDescriptors } from './low-descriptors.js';
import { NETLINK_NETFILTER } from './netlink-socket.js';

const AF_NETLINK = 16;
const SOCK_RAW = 3;

it('gives any low descriptor that is free, also one below those that are kept back', () => {
  const below = openSync('/dev/null', 'r');
  const low = new LowDescriptors();
  closeSync(below);
  const make = () => openSocket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  const open: number[] = [];
  try {
    for (let count = 0; count < 8; count++) open.push(low.withLow(make, closeSocket));
    for (const fd of open) expect(socketProtocol(fd)).toBe(NETLINK_NETFILTER);
    expect(Math.max(...open)).toBeLessThan(1_024);
  } finally {
    for (const fd of open) closeSocket(fd);
    low.refill();
    low.close();
  }
});
