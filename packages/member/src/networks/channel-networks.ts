import type { Channel } from '@skep/rpc';
import { Networks } from '@skep/wire/skep';
import type { NetworksLink } from './contract.js';

/** A manager's tables over the channel of the session with it. */
export function channelNetworks(channel: Channel): NetworksLink {
  return {
    async *watch(requests, signal) {
      const exchange = await channel.exchange(Networks.method.watch, { signal });
      const send = async () => {
        for await (const request of requests) await exchange.send(request);
      };
      // A call that takes no more requests tells why with its responses.
      send().catch(() => {});
      yield* exchange.responses;
    },
    withdraw: (taskId, signal) => channel.unary(Networks.method.withdraw, { taskId }, { signal }),
  };
}
