import { request } from 'node:http';
import type { EngineFacts } from '../../contract.js';
import { ENGINE_ANSWER_BYTES_MAX, ENGINE_ANSWER_TIMEOUT_MS } from '../../limits.js';
import type { Engines } from '../contract.js';

interface Info {
  ServerVersion?: string;
  Swarm?: { LocalNodeState?: string; ControlAvailable?: boolean };
}

/** Engines over the Docker API on their sockets. */
export class RealEngines implements Engines {
  async answers(socket: string): Promise<boolean> {
    return (await get(socket, '/_ping')) === 'OK';
  }

  async facts(socket: string): Promise<EngineFacts | undefined> {
    const text = await get(socket, '/info');
    if (text === undefined) return undefined;
    const { ServerVersion, Swarm } = JSON.parse(text) as Info;
    const role = Swarm?.ControlAvailable ? 'manager' : 'worker';
    const swarmRole = Swarm?.LocalNodeState === 'active' ? role : '';
    return { version: ServerVersion ?? '', swarmRole };
  }
}

/** Body of a good answer; undefined for any other, or none in time. */
function get(socketPath: string, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sent = request({ socketPath, path, headers: { Host: 'skep' } }, async (answer) => {
      let text = '';
      try {
        for await (const chunk of answer.setEncoding('utf8')) {
          text += chunk;
          if (text.length > ENGINE_ANSWER_BYTES_MAX) sent.destroy();
        }
      } catch {
        return resolve(undefined);
      }
      resolve(answer.statusCode === 200 ? text : undefined);
    });
    sent.setTimeout(ENGINE_ANSWER_TIMEOUT_MS, () => sent.destroy());
    sent.on('error', () => resolve(undefined));
    sent.end();
  });
}
