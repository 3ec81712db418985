import { silentLogger } from '@skep/platform';
import { expect, it } from 'vitest';
import { createServer } from '../server/server.js';
import { refusedRoutes } from './refused.js';

const app = createServer({ log: silentLogger, serverName: 'test' }, [refusedRoutes]);

it.each([
  ['POST', '/build', 'building images'],
  ['POST', '/session', 'building images'],
  ['POST', '/grpc', 'building images'],
  ['POST', '/commit', 'making images from containers'],
  ['GET', '/containers/web/changes', 'listing changed files'],
  ['GET', '/containers/web/export', 'exporting containers'],
  ['GET', '/containers/web/archive', 'copying files'],
  ['PUT', '/containers/web/archive', 'copying files'],
  ['POST', '/containers/web/update', 'changing limits of a container'],
  ['GET', '/containers/web/attach/ws', 'attaching over WebSocket'],
  ['GET', '/plugins/web/json', 'inspecting plugins'],
  ['POST', '/plugins/pull', 'installing plugins'],
] as const)('%s %s says what is missing', async (method, url, what) => {
  const { statusCode, body } = await app.inject({ method, url });
  expect(statusCode).toBe(501);
  expect(JSON.parse(body)).toEqual({ message: `${what} is not supported by this engine` });
});

it('has no plugins, and no build cache to clear', async () => {
  expect((await app.inject({ method: 'GET', url: '/plugins' })).body).toBe('[]');
  const { body } = await app.inject({ method: 'POST', url: '/build/prune' });
  expect(JSON.parse(body)).toEqual({ CachesDeleted: null, SpaceReclaimed: 0 });
});
