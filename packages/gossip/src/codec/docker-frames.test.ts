import { SimRandom } from '@skep/platform';
import { expect, it } from 'vitest';
import { decodePeer } from '../records/peer.js';
import { DOCKER_FRAMES, DOCKER_KEYS } from '../testing/docker-frames.js';
import { decodeEnvelope } from './envelope.js';
import { Keyring } from './keyring.js';
import { readPacket } from './packet.js';
import { decodeStreamMessage, openStream } from './stream.js';

const keyring = new Keyring({ keys: DOCKER_KEYS, random: new SimRandom(1) });

it("reads a Docker Engine's gossip", () => {
  const { messages, malformed } = readPacket(keyring.open(DOCKER_FRAMES.gossip));
  expect(malformed).toBe(0);
  expect(messages.map(({ kind }) => kind)).toEqual(['alive', 'alive', 'user', 'user', 'user']);
  expect(messages[1]).toMatchObject({
    ...{ node: '2c06dc9ad0b8', incarnation: 1 },
    address: { ip: '192.168.99.100', port: 7946 },
    versions: Buffer.of(1, 5, 2, 0, 0, 0),
  });
  const [, , user] = messages;
  const event = user?.kind === 'user' && decodeEnvelope(user.payload);
  expect(event).toMatchObject({
    kind: 'network-event',
    event: { type: 1, nodeName: '2c06dc9ad0b8', networkId: '1lhofuuxfiaqilsw12k2c8k5f' },
  });
});

it("reads a Docker Engine's ping", () => {
  expect(readPacket(keyring.open(DOCKER_FRAMES.ping)).messages).toEqual([
    {
      ...{ kind: 'ping', sequence: 2, node: '849fbbc4d84b' },
      source: { ip: '192.168.99.100', port: 7946, name: '2c06dc9ad0b8' },
    },
  ]);
});

it("reads all that a Docker Engine's tables hold", () => {
  const message = decodeStreamMessage(openStream(keyring, DOCKER_FRAMES.bulkSync));
  const sync = message.kind === 'user' ? decodeEnvelope(message.payload) : undefined;
  if (sync?.kind !== 'bulk-sync') throw new Error('no bulk sync');
  expect(sync.sync).toMatchObject({ unsolicited: false, nodeName: '2c06dc9ad0b8' });
  const compound = decodeEnvelope(sync.sync.payload);
  const parts = compound.kind === 'compound' ? compound.parts.map(decodeEnvelope) : [];
  const events = parts.flatMap((part) => (part.kind === 'table-event' ? [part.event] : []));
  expect(events.map(({ tableName }) => tableName)).toEqual([
    'overlay_peer_table',
    'overlay_peer_table',
  ]);
  expect(events.map(({ value }) => decodePeer(value))).toEqual([
    { address: '10.0.1.4/24', mac: '02:42:0a:00:01:04', tunnelAddress: '192.168.99.100' },
    { address: '10.0.1.3/24', mac: '02:42:0a:00:01:03', tunnelAddress: '192.168.99.100' },
  ]);
});
