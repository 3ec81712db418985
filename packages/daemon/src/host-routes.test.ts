import { expect, it } from 'vitest';
import { parseRoutes } from './host-routes.js';

it('reads the kernel‘s routes as subnets, each once', () => {
  const table = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0',
    'eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0',
    'eth1\t0000A8C0\t00000000\t0001\t0\t0\t200\t00FFFFFF\t0\t0\t0',
    'tun0\t000010AC\t00000000\t0001\t0\t0\t0\t0000F0FF\t0\t0\t0',
  ].join('\n');
  expect(parseRoutes(`${table}\n`)).toEqual(['0.0.0.0/0', '192.168.0.0/24', '172.16.0.0/12']);
  expect(parseRoutes('')).toEqual([]);
});
