import { expect, it } from 'vitest';
import { networkOf } from '../tables/objects.sim.js';
import { overlayMtuBytes } from './mtu.js';

it.each([
  { asked: 0, encrypted: false, address: '192.0.2.1', fits: 1_450 },
  { asked: 0, encrypted: false, address: '2001:db8::1', fits: 1_430 },
  { asked: 0, encrypted: true, address: '192.0.2.1', fits: 1_390 },
  { asked: 1_300, encrypted: false, address: '192.0.2.1', fits: 1_250 },
  { asked: 1_500, encrypted: true, address: '192.0.2.1', fits: 1_424 },
  { asked: 1_466, encrypted: true, address: '192.0.2.1', fits: 1_388 },
])('asked for $asked (encrypted: $encrypted) $fits bytes fit', (given) => {
  const { asked: mtuBytes, encrypted, address, fits } = given;
  const underlay = { dataPath: { address, udpPort: 4_789 }, mtuBytes: 1_500 };
  const network = networkOf('net', { mtuBytes, encrypted });
  expect(overlayMtuBytes(network, underlay, encrypted ? 60 : 0)).toBe(fits);
});
