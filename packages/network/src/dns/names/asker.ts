import { type HostAddress, hostAddress } from '../../address/host-address.js';
import type { AttachedSandbox } from '../../sandbox/contract.js';

/** A container that asks for names. */
export interface Asker {
  /** In the order they are looked into: those of the user first, the ingress network last. */
  networks: AskerNetwork[];
  /**
   * It chose `ndots` itself: names without a dot are the networks' alone, and the next one asked for
   * has a search domain behind it.
   */
  keepsSingleLabels: boolean;
}

export interface AskerNetwork {
  id: string;
  /** In lower case. */
  name: string;
  /** The container itself, under all its names: it can ask before anybody says that it is ready. */
  ownNames: ReadonlySet<string>;
  ownAddress: HostAddress | undefined;
}

/** A container's id is also a name, cut to this length. */
const SHORT_ID_DIGITS = 12;

export function askerOf(sandbox: AttachedSandbox): Asker {
  const { names, networks, containerId, name } = sandbox;
  const everywhere = [name, names.hostname, containerId.slice(0, SHORT_ID_DIGITS)];
  const inOrder = [
    ...networks.filter(({ ingress }) => !ingress),
    ...networks.filter(({ ingress }) => ingress),
  ];
  return {
    networks: inOrder.map((network) => ({
      id: network.networkId,
      name: network.networkName.toLowerCase(),
      ownNames: new Set([...everywhere, ...network.aliases].map((each) => each.toLowerCase())),
      ownAddress: hostAddress(network.address),
    })),
    keepsSingleLabels: names.options.some((option) => /^ndots:\d+$/.test(option)),
  };
}
