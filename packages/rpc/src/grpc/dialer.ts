import { ConnectionDialer, type DialerOptions } from '../client/dialer.js';
import { ClientConnection } from './client-connection.js';

/** Makes connections as the node whose identity it is given, by gRPC over mutual TLS. */
export class GrpcDialer extends ConnectionDialer<ClientConnection> {
  constructor(options: DialerOptions) {
    super(options, (connectOptions) => ClientConnection.open(connectOptions));
  }
}
