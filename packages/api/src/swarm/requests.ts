import { CLUSTER_DEFAULTS, checkNewClusterSpec, defaultClusterSpec } from '@skep/manager';
import { NodeSpec_Availability } from '@skep/wire/swarmkit';
import {
  type AddressSource,
  advertiseIp,
  dataPathIp,
  listenIp,
  systemIp,
} from './address/choose.js';
import { joinHostPort, splitHostPort } from './address/host-port.js';
import { isUnspecified } from './address/interfaces.js';
import { checkAddressPools, checkDataPathPort } from './address/pools.js';
import { mergeClusterSpec } from './convert/cluster.js';
import { availabilityFromText } from './convert/node.js';
import type { JsonReader } from './convert/reader.js';
import { invalid } from './errors.js';
import { SWARM_PORT } from './limits.js';
import type { SwarmInit, SwarmJoin } from './node.js';

const EMPTY_LISTEN_ADDRESS = 'invalid ListenAddr "": invalid address';

/** Checks the body of POST /swarm/init and fills in what it leaves open. */
export function initFromJson(json: JsonReader, source: AddressSource): SwarmInit {
  const { listenHost, listenPort } = listenFromJson(json, source);
  const spec = json.object('Spec');
  const name = spec?.string('Name') ?? '';
  if (name !== '' && name !== CLUSTER_DEFAULTS.name) {
    throw invalid('swarm spec must be named "default"');
  }
  const advertise = splitHostPort(json.string('AdvertiseAddr'), listenPort);
  const advertiseHost = advertiseIp(source, advertise.host);
  const dataPath = dataPathIp(source, json.string('DataPathAddr'));
  if (isUnspecified(listenHost)) checkLocalAddress(source, advertiseHost);
  const pools = checkAddressPools(json.strings('DefaultAddrPool'), json.uint32('SubnetSize'));
  const merged = spec ? mergeClusterSpec(spec, defaultClusterSpec()) : defaultClusterSpec();
  merged.encryptionConfig.autoLockManagers ||= json.boolean('AutoLockManagers');
  return {
    listenAddress: joinHostPort(listenHost, listenPort),
    advertiseAddress: joinHostPort(advertiseHost, advertise.port),
    dataPathAddress: dataPath || advertiseHost,
    dataPathPort: checkDataPathPort(json.uint32('DataPathPort')),
    forceNewCluster: json.boolean('ForceNewCluster'),
    availability: availabilityOf(json),
    defaultAddressPool: pools.pools,
    subnetSize: pools.subnetSize,
    spec: checkNewClusterSpec(merged),
  };
}

/** Checks the body of POST /swarm/join. */
export function joinFromJson(json: JsonReader, source: AddressSource): SwarmJoin {
  if (json.string('ListenAddr') === '') throw invalid(EMPTY_LISTEN_ADDRESS);
  const remotes = json.strings('RemoteAddrs');
  if (remotes.length === 0) throw invalid('at least 1 RemoteAddr is required to join');
  if (remotes.includes('')) throw invalid('invalid remoteAddr "": invalid address');
  const { listenHost, listenPort } = listenFromJson(json, source);
  return {
    listenAddress: joinHostPort(listenHost, listenPort),
    advertiseAddress: advertisedOf(json.string('AdvertiseAddr'), listenPort, source),
    dataPathAddress: dataPathIp(source, json.string('DataPathAddr')),
    remoteAddresses: remotes.map((remote) => {
      const { host, port } = splitHostPort(remote, SWARM_PORT);
      return joinHostPort(host, port);
    }),
    joinToken: json.string('JoinToken'),
    availability: availabilityOf(json),
  };
}

/** Empty where none that means something is given: the manager joined sees where the node comes from. */
function advertisedOf(given: string, listenPort: number, source: AddressSource): string {
  if (given === '') return '';
  try {
    const { host, port } = splitHostPort(given, listenPort);
    return joinHostPort(advertiseIp(source, host), port);
  } catch {
    return '';
  }
}

/**
 * Checks the body of POST /swarm/unlock: the prefix, and what follows in base64 without padding. Whether the
 * key is the right one only the locked node can say.
 */
export function unlockKeyFromJson(json: JsonReader): string {
  const key = json.string('UnlockKey');
  const isWellFormed = /^SWMKEY-1-[A-Za-z0-9+/]*$/.test(key) && (key.length - 9) % 4 !== 1;
  if (!isWellFormed) throw invalid('invalid key string');
  return key;
}

function listenFromJson(json: JsonReader, source: AddressSource) {
  const text = json.string('ListenAddr');
  if (text === '') throw invalid(EMPTY_LISTEN_ADDRESS);
  const { host, port } = splitHostPort(text, SWARM_PORT);
  return { listenHost: listenIp(source, host || '0.0.0.0'), listenPort: port };
}

/** A node that listens everywhere must still know one address of its own. */
function checkLocalAddress(source: AddressSource, advertiseHost: string): void {
  const own = source.interfaces().flatMap(({ addresses }) => addresses);
  if (own.includes(advertiseHost)) return;
  try {
    systemIp(source);
  } catch {
    throw invalid(
      'must specify a listening address because the address to advertise is not recognized as a ' +
        "system address, and a system's IP address to use could not be uniquely identified",
    );
  }
}

function availabilityOf(json: JsonReader): NodeSpec_Availability {
  const text = json.string('Availability');
  return text === '' ? NodeSpec_Availability.ACTIVE : availabilityFromText(text);
}
