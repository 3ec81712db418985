import type { AddressAllocator } from '../address/allocator.js';
import { HOST, type KernelCommand, type NamespaceView } from '../kernel/contract.js';
import { MTU_BYTES_DEFAULT } from '../limits.js';
import { macOfAddress } from '../sandbox/plan.js';

/** A bridge of the host with the gateway's address on it. */
export interface HostBridge {
  link: string;
  addresses: AddressAllocator;
}

/** What a bridge lacks, compared with what stands; nothing that is right is touched. */
export function planBridge(
  bridge: HostBridge,
  host: NamespaceView,
  mtuBytes: number,
): KernelCommand[] {
  const { link } = bridge;
  const at = { namespace: HOST, link };
  const address = bridge.addresses.withPrefix(bridge.addresses.gateway);
  const standing = host.links.find(({ name }) => name === link);
  const present = host.addresses.filter((other) => other.link === link);
  const commands: KernelCommand[] = [];
  // A fixed MAC: else the bridge takes its lowest port's, and neighbours' caches go stale.
  if (!standing) commands.push({ op: 'bridge-add', ...at, mac: macOfAddress(address) });
  if (!standing?.up) commands.push({ op: 'link-change', ...at, change: { up: true, mtuBytes } });
  for (const other of present) {
    if (other.address !== address) {
      commands.push({ op: 'address-remove', ...at, address: other.address });
    }
  }
  if (!present.some((other) => other.address === address)) {
    commands.push({ op: 'address-add', ...at, address });
  }
  // 127.0.0.1 in front of published ports; the table guards what could come back.
  const name = `net.ipv4.conf.${link}.route_localnet`;
  commands.push({ op: 'sysctl', namespace: HOST, name, value: '1' });
  return commands;
}

/** The MTU of the way out of this host, and never more than Ethernet's. */
export function egressMtuBytes(host: NamespaceView): number {
  const way = host.routes.find(({ destination }) => destination === 'default');
  const link = host.links.find(({ name }) => name === way?.link);
  return Math.min(link?.mtuBytes ?? MTU_BYTES_DEFAULT, MTU_BYTES_DEFAULT);
}
