import type { ManagerLink } from '@skep/agent';
import type { NetworksLink } from './contract.js';
import type { NetworksFollower } from './follower.js';

/** A way to a manager that has its tables followed for as long as a session over it lasts. */
export function withNetworks(
  link: ManagerLink,
  networks: NetworksLink,
  follower: NetworksFollower,
): ManagerLink {
  return {
    ...link,
    async *session(request, signal) {
      const leave = () => follower.leave(networks);
      // Whoever reads may be busy with a message when the session is given up.
      signal.addEventListener('abort', leave, { once: true });
      let isOpen = false;
      try {
        for await (const message of link.session(request, signal)) {
          if (!isOpen && !signal.aborted) follower.follow(networks);
          isOpen = true;
          yield message;
        }
      } finally {
        signal.removeEventListener('abort', leave);
        leave();
      }
    },
  };
}
