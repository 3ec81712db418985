import { type Clock, RealRandom } from '@skep/platform';
import { ConnectorChannel } from '../client/channel.js';
import type { Channel } from '../contract.js';
import { ClientConnection } from './client-connection.js';

/** Makes a channel to a program of this machine that serves gRPC, unencrypted, at a unix socket. */
export function dialLocal(path: string, { clock }: { clock: Clock }): Channel {
  const open = (onUnusable: () => void) => ClientConnection.openLocal(path, { clock, onUnusable });
  return new ConnectorChannel(path, { clock, random: new RealRandom(), open }, () => {});
}
