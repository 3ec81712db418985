import { closeSync, openSync } from 'node:fs';
import { NFT_CONTEXTS_MAX } from '../../limits.js';
import { SystemCallError, socketProtocol } from './libc.js';
import { NETLINK_NETFILTER } from './netlink-socket.js';

/** select(2) aborts the process at a descriptor of this number or above. */
const SELECT_LIMIT = 1_024;

/** Low descriptors kept back: one for each context, and some to lose to quicker threads. */
const RESERVED = NFT_CONTEXTS_MAX + 32;

/**
 * libnftables waits with select(2), so its sockets need low numbers, while a daemon with many
 * containers has thousands of descriptors open. Some low ones are kept back from the start; one is
 * given up just before a context opens its socket, which takes the lowest free number.
 */
export class LowDescriptors {
  readonly #reserved = Array.from({ length: RESERVED }, () => openSync('/dev/null', 'r'));

  /**
   * Makes something that opens one netfilter socket. Another thread may be quicker and take the
   * descriptor that was given up: then `unmake` undoes it, and the next one is tried.
   */
  withLow<T>(make: () => T, unmake: (made: T) => void): T {
    for (;;) {
      const fd = this.#reserved.shift();
      if (fd === undefined || fd >= SELECT_LIMIT) {
        throw new SystemCallError('EMFILE', 'nft: no low file descriptor left');
      }
      closeSync(fd);
      const made = make();
      if (socketProtocol(fd) === NETLINK_NETFILTER) return made;
      unmake(made);
    }
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
