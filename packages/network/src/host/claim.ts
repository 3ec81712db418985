import { createServer, type Server } from 'node:net';
import { Code, hasErrno, RpcError } from '@skep/platform';

/**
 * Makes sure that one daemon alone manages the names of a prefix in a network namespace. An
 * abstract socket belongs to the namespace and goes with its process, so nothing can be left
 * behind.
 */
export function claimNamespace(prefix: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => {
      if (!hasErrno(error, 'EADDRINUSE')) return reject(error);
      const message = `another daemon manages the networks named ${prefix}* of this host`;
      reject(new RpcError(Code.ALREADY_EXISTS, message));
    });
    server.listen({ path: `\0${prefix}-network` }, () => {
      server.unref();
      resolve(server);
    });
  });
}
