// A process of many nodes without containers: all of a worker but its engine and its disk. Real tokens,
// certificates, TLS, sessions. Started by fleet.mjs, which it tells how far its nodes are.
import { CfsslAuthority, RealHttpsClient } from '@skep/ca';
import { Membership } from '@skep/member';
import { RealClock, RealRandom, SimDisk, silentLogger } from '@skep/platform';
import { GrpcDialer, GrpcHost } from '@skep/rpc';
import { HollowExecutor } from './executor.mjs';

const TELL_EVERY_MS = 2;

const { address, token, names } = JSON.parse(process.argv[2]);
const counts = { joined: 0, assigned: 0, started: 0 };

const clock = new RealClock();
const random = new RealRandom();
const onFatal = (error) => {
  console.error(error);
  process.exit(1);
};

/** Ways to other nodes; a worker uses but the dialer. */
function doors(identity) {
  const shared = { identity, clock, logger: silentLogger, log: silentLogger, onFatal };
  return {
    dialer: new GrpcDialer({ ...shared, random }),
    host: new GrpcHost(shared),
    external: new CfsslAuthority({
      ...shared,
      https: new RealHttpsClient(),
      identity: () => identity.current(),
    }),
  };
}

async function join(name) {
  const membership = new Membership({
    clock,
    random,
    disk: new SimDisk(),
    log: silentLogger,
    onFatal,
    directory: '/swarm',
    executor: new HollowExecutor(name, counts),
    doors,
    isOwnHost: () => false,
  });
  const request = {
    listenAddress: '0.0.0.0:2377',
    advertiseAddress: '',
    dataPathAddress: '',
    remoteAddresses: [address],
    joinToken: token,
    availability: 0,
  };
  await membership.join(request, new AbortController().signal);
  counts.joined++;
}

process.on('disconnect', () => process.exit(0));
let told = '';
setInterval(() => {
  const text = JSON.stringify(counts);
  if (text !== told) process.send(counts);
  told = text;
}, TELL_EVERY_MS);
await Promise.all(names.map(join));
