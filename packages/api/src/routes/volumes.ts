import type { VolumeEngine } from '@skep/containers';
import type { FastifyRequest } from 'fastify';
import { HttpError } from '../server/errors.js';
import { filters, flag, type Query } from '../server/query.js';
import type { Routes } from '../server/server.js';
import { checkShape } from '../server/shape.js';
import { VOLUME_CREATE } from './bodies.js';

type ByName = FastifyRequest<{ Params: { name: string } }>;

const LIST_FILTERS = ['dangling', 'driver', 'label', 'name'];
const PRUNE_FILTERS = ['all', 'label', 'label!'];

/** /volumes of this node. */
export function volumeRoutes(volumes: VolumeEngine): Routes {
  return (app) => {
    app.get('/volumes', async (request) => {
      const found = await volumes.list(filters(request.query as Query, LIST_FILTERS));
      return { ...found, Warnings: found.Warnings.length > 0 ? found.Warnings : null };
    });
    app.post('/volumes/create', async (request, reply) => {
      checkShape(request.body, VOLUME_CREATE, 'CreateOptions');
      const wanted = (request.body ?? {}) as Parameters<VolumeEngine['create']>[0] & {
        ClusterVolumeSpec?: object;
      };
      if (wanted.ClusterVolumeSpec) {
        throw new HttpError(501, 'cluster volumes are not supported by this engine');
      }
      return reply.code(201).send(await volumes.create(wanted));
    });
    app.post('/volumes/prune', (request) =>
      volumes.prune(filters(request.query as Query, PRUNE_FILTERS)),
    );
    app.get('/volumes/:name', (request: ByName) => volumes.inspect(request.params.name));
    app.put('/volumes/:name', async () => {
      throw new HttpError(501, 'cluster volumes are not supported by this engine');
    });
    app.delete('/volumes/:name', async (request: ByName, reply) => {
      await volumes.remove(request.params.name, flag(request.query as Query, 'force'));
      return reply.code(204).send();
    });
  };
}
