import { HOST, type NamespacePath } from '../contract.js';
import type { Namespaces } from './namespaces.js';
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from './netlink-socket.js';
import { NftContext } from './nft-context.js';

/**
 * Open sockets and nft contexts by namespace. Those of a container's namespace are closed after
 * each batch, because an open one keeps a removed namespace alive; the host's stay open.
 */
export class Handles {
  readonly #namespaces: Namespaces;
  readonly #route = new Map<NamespacePath, NetlinkSocket>();
  readonly #netfilter = new Map<NamespacePath, NetlinkSocket>();
  readonly #nft = new Map<NamespacePath, NftContext>();

  constructor(namespaces: Namespaces) {
    this.#namespaces = namespaces;
  }

  route(namespace: NamespacePath): NetlinkSocket {
    return this.#made(this.#route, namespace, () => new NetlinkSocket(NETLINK_ROUTE));
  }

  netfilter(namespace: NamespacePath): NetlinkSocket {
    return this.#made(this.#netfilter, namespace, () => new NetlinkSocket(NETLINK_NETFILTER));
  }

  nft(namespace: NamespacePath): NftContext {
    return this.#made(this.#nft, namespace, () => new NftContext());
  }

  /** Closes what belongs to other namespaces than the host's. */
  closeForeign(): void {
    this.#closeWhere((namespace) => namespace !== HOST);
  }

  closeAll(): void {
    this.#closeWhere(() => true);
  }

  #made<T>(known: Map<NamespacePath, T>, namespace: NamespacePath, make: () => T): T {
    let handle = known.get(namespace);
    if (!handle) {
      handle = this.#namespaces.within(namespace, make);
      known.set(namespace, handle);
    }
    return handle;
  }

  #closeWhere(doomed: (namespace: NamespacePath) => boolean): void {
    const close = <T>(known: Map<NamespacePath, T>, end: (handle: T) => void) => {
      for (const [namespace, handle] of known) {
        if (!doomed(namespace)) continue;
        end(handle);
        known.delete(namespace);
      }
    };
    close(this.#route, (socket) => socket.close());
    close(this.#netfilter, (socket) => socket.close());
    close(this.#nft, (context) => context.free());
  }
}
