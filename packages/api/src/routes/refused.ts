import { HttpError } from '../server/errors.js';
import type { Routes } from '../server/server.js';

/** What Docker has and this engine has not: a plain sentence and 501, rather than a puzzling 404. */
const REFUSED: readonly (readonly [
  method: 'GET' | 'POST' | 'PUT' | 'HEAD',
  path: string,
  what: string,
])[] = [
  ['POST', '/build', 'building images'],
  ['POST', '/build/cancel', 'building images'],
  ['POST', '/session', 'building images'],
  ['POST', '/grpc', 'building images'],
  ['POST', '/commit', 'making images from containers'],
  ['GET', '/containers/:id/changes', 'listing changed files'],
  ['GET', '/containers/:id/export', 'exporting containers'],
  ['HEAD', '/containers/:id/archive', 'copying files'],
  ['GET', '/containers/:id/archive', 'copying files'],
  ['PUT', '/containers/:id/archive', 'copying files'],
  ['POST', '/containers/:id/update', 'changing limits of a container'],
  ['GET', '/containers/:id/attach/ws', 'attaching over WebSocket'],
  ['GET', '/plugins/:name/json', 'inspecting plugins'],
  ['POST', '/plugins/pull', 'installing plugins'],
  ['POST', '/plugins/create', 'making plugins'],
  ['GET', '/plugins/privileges', 'installing plugins'],
];

export const refusedRoutes: Routes = (app) => {
  for (const [method, url, what] of REFUSED) {
    app.route({
      method,
      url,
      ...(method === 'GET' ? { exposeHeadRoute: false } : {}),
      handler: async () => {
        throw new HttpError(501, `${what} is not supported by this engine`);
      },
    });
  }
  app.get('/plugins', async () => []);
  // There is no build cache: `docker system prune` cleans the rest.
  app.post('/build/prune', async () => ({ CachesDeleted: null, SpaceReclaimed: 0 }));
};
