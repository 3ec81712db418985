import { createServer, type Server } from 'node:http';
import { isIP } from 'node:net';
import { OptionsError } from '../config/options.js';
import type { MeasuredRooms } from './gauges.js';

/** Serves Prometheus metrics at /metrics on `ip:port`. Loaded only where it is asked for. */
export async function serveMetrics(address: string, rooms: MeasuredRooms): Promise<Server> {
  const { host, port } = parseAddress(address);
  const [{ collectDefaultMetrics, Registry }, { registerGauges }] = await Promise.all([
    import('prom-client'),
    import('./gauges.js'),
  ]);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerGauges(registry, rooms);
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') return void response.writeHead(404).end();
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return server;
}

function parseAddress(address: string): { host: string; port: number } {
  const match = /^\[?([^\]]+?)\]?:(\d+)$/.exec(address);
  const [, host = '', port = ''] = match ?? [];
  if (isIP(host) === 0 || Number(port) > 65_535) {
    throw new OptionsError(`invalid metrics address: ${address} is no IP:PORT`);
  }
  return { host, port: Number(port) };
}
