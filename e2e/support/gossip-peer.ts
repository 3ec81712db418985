import { GossipNode, gossipKeys, RealGossipSockets } from '@skep/gossip';
import { enrol } from '@skep/member';
import { RealClock, RealRandom, silentLogger } from '@skep/platform';
import { GrpcDialer } from '@skep/rpc';
import { Dispatcher, NodeSpec_Availability, type SessionMessage } from '@skep/wire/swarmkit';
import { exec } from './exec.ts';
import { Intruder } from './intruder.ts';

const ANSWER_TIMEOUT_MS = 20_000;
const PORT = 7946;

/** The keys that a manager hands out, asked for by a node that joins for them. */
export async function clusterKeys(address: string, token: string): Promise<Uint8Array[]> {
  const [clock, random] = [new RealClock(), new RealRandom()];
  const nobody = { current: () => undefined, onChange: () => () => {} };
  const dialer = new GrpcDialer({ identity: nobody, clock, random });
  try {
    const { credentials, rootPem } = await enrol({
      ...{ dialer, clock, random, addresses: [address], token },
      availability: NodeSpec_Availability.DRAIN,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    const node = new Intruder(address, { rootPem, ...credentials });
    const description = { hostname: 'gossiper', engine: {}, platform: { os: 'linux' } };
    const first = await node.first(Dispatcher.method.session, { description });
    node.close();
    return gossipKeys((first as SessionMessage).networkBootstrapKeys);
  } finally {
    dialer.close();
  }
}

/** A node of ours on this very host, in the gossip of a cluster; `ip`: its address towards that. */
export async function startPeer(
  seed: string,
  keys: readonly Uint8Array[],
): Promise<{ node: GossipNode; ip: string }> {
  const { stdout } = await exec('ip', ['-o', 'route', 'get', seed]);
  const ip = / src (\S+)/.exec(stdout)?.[1] ?? '';
  const logger = silentLogger;
  const node = new GossipNode({
    ...{ clock: new RealClock(), random: new RealRandom(), logger, keys },
    address: { ip, port: PORT },
    sockets: new RealGossipSockets({ ip, logger }),
  });
  await node.start();
  node.setSeeds([{ ip: seed, port: PORT }]);
  return { node, ip };
}
