import { Code, errorMessage, RpcError } from '@skep/platform';
import { type KernelCommand, KernelError } from '../kernel/contract.js';
import type { OverlayNetwork } from '../tables/contract.js';
import type { DataPath } from './plan.js';

/** Nothing on this node can keep the network's packets secret, and they are never sent in the clear. */
export function encryptionFailure(network: OverlayNetwork, cause?: unknown): RpcError {
  const reason = cause === undefined ? 'nothing on this node can do that' : errorMessage(cause);
  return failure(network, `its packets are to be encrypted: ${reason}`, cause);
}

/** Why the kernel refused a network, in words for whoever looks at the task. */
export function kernelFailure(
  network: OverlayNetwork,
  dataPath: DataPath,
  commands: readonly KernelCommand[],
  error: unknown,
): RpcError {
  const command = error instanceof KernelError ? commands[error.index] : undefined;
  const code = error instanceof KernelError ? error.code : '';
  const reason =
    command?.op === 'vxlan-add' ? tunnelReason(code, command.vni, dataPath.udpPort) : undefined;
  return failure(network, reason ?? errorMessage(error), error);
}

function tunnelReason(code: string, vni: number, udpPort: number): string | undefined {
  switch (code) {
    case 'EOPNOTSUPP':
    case 'ENOTSUP':
      return 'this kernel has no VXLAN (module vxlan)';
    case 'EEXIST':
      return `VXLAN identifier ${vni} on UDP port ${udpPort} of this host is taken by another program`;
    case 'EADDRINUSE':
      return `UDP port ${udpPort} of this host, for VXLAN, is taken by another program`;
    case 'EADDRNOTAVAIL':
      return 'the address for its tunnels is not one of this host';
    default:
      return undefined;
  }
}

function failure(network: OverlayNetwork, reason: string, cause?: unknown): RpcError {
  const text = `network ${network.name} cannot be made on this node: ${reason}`;
  return new RpcError(Code.FAILED_PRECONDITION, text, { cause });
}
