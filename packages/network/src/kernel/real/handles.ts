import { NETFILTER_SOCKETS_MAX, NFT_CONTEXTS_MAX } from '../../limits.js';
import { HOST, type NamespacePath } from '../contract.js';
import { LowDescriptors } from './low-descriptors.js';
import type { Namespaces } from './namespaces.js';
import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NETLINK_SOCK_DIAG,
  NETLINK_XFRM,
  NetlinkSocket,
} from './netlink-socket.js';
import { NftContext } from './nft-context.js';

/** Sockets and contexts that wait to be closed; each holds a descriptor. */
const ASIDE_MAX = 24;

/**
 * Open sockets and nft contexts by namespace. An open socket keeps a removed namespace alive, so
 * those of other namespaces are closed after each batch. An nft context is kept until its namespace
 * is removed or many others have been used since: making one takes longer than using it. So is a
 * netfilter socket.
 *
 * The kernel lets nobody close a netfilter socket, 16 ms long, who has just removed rules (kernel 6.18,
 * nft_rcv_nl_event), and then as many at once as there are. So those are put aside first.
 */
export class Handles {
  readonly #namespaces: Namespaces;
  readonly #low = new LowDescriptors();
  readonly #route = new Map<NamespacePath, NetlinkSocket>();
  readonly #netfilter = new Map<NamespacePath, NetlinkSocket>();
  readonly #nft = new Map<NamespacePath, NftContext>();
  #aside: (() => void)[] = [];

  constructor(namespaces: Namespaces) {
    this.#namespaces = namespaces;
  }

  route(namespace: NamespacePath): NetlinkSocket {
    return this.#made(this.#route, namespace, () => new NetlinkSocket(NETLINK_ROUTE));
  }

  netfilter(namespace: NamespacePath): NetlinkSocket {
    const make = () => new NetlinkSocket(NETLINK_NETFILTER);
    const socket = this.#made(this.#netfilter, namespace, make);
    // The last one used is the last in the map.
    this.#netfilter.delete(namespace);
    this.#netfilter.set(namespace, socket);
    return socket;
  }

  /** A socket for associations and policies, which are seldom asked for. */
  withTransform<T>(namespace: NamespacePath, use: (socket: NetlinkSocket) => T): T {
    return this.#withSocket(NETLINK_XFRM, namespace, use);
  }

  /** A socket that tells of others, in a namespace that is asked only while its container starts. */
  withDiagnosis<T>(namespace: NamespacePath, use: (socket: NetlinkSocket) => T): T {
    return this.#withSocket(NETLINK_SOCK_DIAG, namespace, use);
  }

  nft(namespace: NamespacePath): NftContext {
    const make = () => new NftContext();
    const makeLow = () => this.#low.withLow(make, (context) => context.free());
    if (!this.#nft.has(namespace)) this.#freeOldest();
    const context = this.#made(this.#nft, namespace, makeLow);
    this.#nft.delete(namespace);
    this.#nft.set(namespace, context);
    return context;
  }

  /** Lets go of a namespace that is about to be removed. */
  forget(namespace: NamespacePath): void {
    this.#putContextAside(namespace);
    closeSockets(this.#route, (other) => other === namespace);
    this.#putSocketsAside((other) => other === namespace);
  }

  /** Closes the sockets in other namespaces than the host's; netfilter's once many others were used. */
  closeForeign(): void {
    const isForeign = (namespace: NamespacePath) => namespace !== HOST;
    closeSockets(this.#route, isForeign);
    const kept = new Set([...this.#netfilter.keys()].slice(-NETFILTER_SOCKETS_MAX));
    this.#putSocketsAside((one) => isForeign(one) && !kept.has(one));
  }

  /** Whether something waits for {@link closeAside}. */
  get hasAside(): boolean {
    return this.#aside.length > 0;
  }

  /** Closes what was put aside. Can take the kernel 16 ms. */
  closeAside(): void {
    for (const close of this.#aside) close();
    this.#aside = [];
    this.#low.refill();
  }

  closeAll(): void {
    this.closeAside();
    for (const known of [this.#route, this.#netfilter]) closeSockets(known, () => true);
    for (const context of this.#nft.values()) context.free();
    this.#nft.clear();
    this.#low.close();
  }

  #withSocket<T>(protocol: number, namespace: NamespacePath, use: (socket: NetlinkSocket) => T): T {
    const socket = this.#namespaces.within(namespace, () => new NetlinkSocket(protocol));
    try {
      return use(socket);
    } finally {
      socket.close();
    }
  }

  #made<T>(known: Map<NamespacePath, T>, namespace: NamespacePath, make: () => T): T {
    let handle = known.get(namespace);
    if (!handle) {
      handle = this.#namespaces.within(namespace, make);
      known.set(namespace, handle);
    }
    return handle;
  }

  #freeOldest(): void {
    if (this.#nft.size < NFT_CONTEXTS_MAX) return;
    const oldest = [...this.#nft.keys()].find((namespace) => namespace !== HOST);
    if (oldest !== undefined) this.#putContextAside(oldest);
  }

  #putContextAside(namespace: NamespacePath): void {
    const context = this.#nft.get(namespace);
    if (!context) return;
    this.#nft.delete(namespace);
    this.#putAside(() => context.free());
  }

  #putSocketsAside(isDoomed: (namespace: NamespacePath) => boolean): void {
    for (const [namespace, socket] of this.#netfilter) {
      if (!isDoomed(namespace)) continue;
      this.#netfilter.delete(namespace);
      this.#putAside(() => socket.close());
    }
  }

  #putAside(close: () => void): void {
    this.#aside.push(close);
    if (this.#aside.length >= ASIDE_MAX) this.closeAside();
  }
}

function closeSockets(
  known: Map<NamespacePath, NetlinkSocket>,
  isDoomed: (namespace: NamespacePath) => boolean,
): void {
  for (const [namespace, socket] of known) {
    if (!isDoomed(namespace)) continue;
    socket.close();
    known.delete(namespace);
  }
}
