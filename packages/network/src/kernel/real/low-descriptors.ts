import { closeSync, openSync } from 'node:fs';
import { NFT_CONTEXTS_MAX } from '../../limits.js';
import { SystemCallError, socketProtocol } from './libc.js';
import { NETLINK_NETFILTER } from './netlink-socket.js';

/** select(2) aborts the process at a descriptor of this number or above. */
const SELECT_LIMIT = 1_024;

/** Low descriptors kept back: one for each context, and some to lose to quicker threads. */
const RESERVED = NFT_CONTEXTS_MAX + 32;

/** How often another thread may be quicker, one time after the other. */
const ATTEMPTS_MAX = 64;

/**
 * libnftables waits with select(2), so its sockets need low numbers, while a daemon with many
 * containers has thousands of descriptors open. Some low ones are kept back from the start; where no
 * other is free, one is given up just before a context opens its socket, which takes the lowest.
 */
export class LowDescriptors {
  readonly #reserved = Array.from({ length: RESERVED }, () => openSync('/dev/null', 'r'));

  /**
   * Makes something that opens one netfilter socket. Another thread may be quicker and take the
   * descriptor that was meant for it: then `unmake` undoes it, and the next one is tried.
   */
  withLow<T>(make: () => T, unmake: (made: T) => void): T {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const fd = this.#freeOne();
      const made = make();
      if (socketProtocol(fd) === NETLINK_NETFILTER) return made;
      unmake(made);
    }
    throw new SystemCallError('EMFILE', 'nft: no low file descriptor left');
  }

  /** The number that the next descriptor gets. */
  #freeOne(): number {
    const lowest = openSync('/dev/null', 'r');
    closeSync(lowest);
    if (lowest < SELECT_LIMIT) return lowest;
    const fd = this.#reserved.shift();
    if (fd === undefined || fd >= SELECT_LIMIT) {
      throw new SystemCallError('EMFILE', 'nft: no low file descriptor left');
    }
    closeSync(fd);
    return fd;
  }

  /** Keeps a low descriptor back again, after what used one was closed. */
  refill(): void {
    while (this.#reserved.length < RESERVED) this.#reserved.push(openSync('/dev/null', 'r'));
    this.#reserved.sort((one, other) => one - other);
  }

  close(): void {
    for (const fd of this.#reserved.splice(0)) closeSync(fd);
  }
}
