import type { Network } from './gen/docker/swarmkit/v1/objects_pb.js';

/** Names of an overlay network's options (wire.md 4.2). */
export const VNI_OPTION = 'com.docker.network.driver.overlay.vxlanid_list';
export const MTU_OPTION = 'com.docker.network.driver.mtu';
export const ENCRYPTED_OPTION = 'encrypted';

const MTU_BYTES_MAX = 65_535;

/** What an overlay network's allocated state says to those who make it on a node. */
export interface OverlaySettings {
  subnets: {
    /** `10.0.1.0/24` */
    subnet: string;
    /** Without prefix length. */
    gateway: string;
    /** 0 for IPv6 subnets, which have no tunnel of their own. */
    vni: number;
  }[];
  /** 0: the way there decides. */
  mtuBytes: number;
  encrypted: boolean;
}

type AllocatedNetwork = Pick<Network, 'driverState' | 'ipam'>;

export function overlaySettings(network: AllocatedNetwork): OverlaySettings {
  const bytes = Number(network.driverState?.options[MTU_OPTION] ?? 0);
  const isMtu = Number.isInteger(bytes) && bytes > 0 && bytes <= MTU_BYTES_MAX;
  return {
    subnets: subnetsOf(network),
    mtuBytes: isMtu ? bytes : 0,
    encrypted: isEncrypted(network),
  };
}

/** The option's being there is what counts, as in Docker, whatever its value. */
export function isEncrypted({ driverState }: Pick<Network, 'driverState'>): boolean {
  return Object.hasOwn(driverState?.options ?? {}, ENCRYPTED_OPTION);
}

/** Identifiers are listed for the IPv4 subnets, in their order. */
function subnetsOf({ driverState, ipam }: AllocatedNetwork): OverlaySettings['subnets'] {
  const vnis = (driverState?.options[VNI_OPTION] ?? '').split(',').map(Number);
  let place = 0;
  return (ipam?.configs ?? []).map(({ subnet, gateway }) => {
    const vni = subnet.includes(':') ? 0 : vnis[place++] || 0;
    return { subnet, gateway: gateway.replace(/\/.*/, ''), vni };
  });
}
