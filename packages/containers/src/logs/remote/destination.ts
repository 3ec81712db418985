import { readFileSync, statSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { hostname } from 'node:os';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { type Clock, Code, hasErrno, newContainerId, type Random, RpcError } from '@skep/platform';
import type { Kernel } from '../../linux/kernel.js';
import { DEFAULT_TAG, type LogSubject, logAttributes, logTag } from '../attributes.js';
import type { LogPolicy } from '../options.js';
import { openUdpLink, openUnixDatagramLink } from './datagram-link.js';
import { journalEncoder, journalFieldName } from './journal-format.js';
import type { LogDestination, LogLink } from './log-link.js';
import { openStreamLink } from './stream-link.js';
import { syslogEncoder } from './syslog-format.js';
import { type SyslogAddress, type SyslogOptions, syslogOptions } from './syslog-options.js';

const JOURNAL_SOCKET = '/run/systemd/journal/socket';
/** Where a machine's own syslog may listen. */
const LOCAL_SYSLOG = ['/dev/log', '/var/run/syslog', '/var/run/log'];
const SHORT_ID_LENGTH = 12;

interface Means {
  kernel: Kernel;
  clock: Clock;
  random: Random;
}

/** Where entries of this container go beside its own log; undefined for nowhere. */
export function logDestination(
  policy: LogPolicy,
  subject: LogSubject,
  means: Means,
): LogDestination | undefined {
  if (policy.driver === 'journald') return journal(policy, subject, means);
  if (policy.driver !== 'syslog') return undefined;
  return syslog(syslogOptions(policy.options), tagOf(policy, subject), means);
}

function tagOf({ options }: LogPolicy, subject: LogSubject): string {
  return logTag(options['tag'] || DEFAULT_TAG, subject);
}

function journal(policy: LogPolicy, subject: LogSubject, means: Means): LogDestination {
  const tag = tagOf(policy, subject);
  const { tag: _, ...attributes } = logAttributes(policy.options, subject);
  const newId = () => newContainerId(means.random);
  const own = Object.entries(attributes).map(([name, value]) => [journalFieldName(name), value]);
  return {
    name: `journal ${JOURNAL_SOCKET}`,
    encode: journalEncoder({
      fields: {
        CONTAINER_ID: subject.id.slice(0, SHORT_ID_LENGTH),
        CONTAINER_ID_FULL: subject.id,
        CONTAINER_NAME: subject.name,
        CONTAINER_TAG: tag,
        IMAGE_NAME: subject.config.Image,
        SYSLOG_IDENTIFIER: tag,
        ...Object.fromEntries(own),
      },
      epoch: newId(),
      newId,
    }),
    check: () => {
      if (!isSocket(JOURNAL_SOCKET)) throw cannotStart('journald is not enabled on this host');
    },
    open: async (signal) => openUnixDatagramLink(JOURNAL_SOCKET, { ...means, signal }),
  };
}

function syslog(options: SyslogOptions, tag: string, means: Means): LogDestination {
  const { address, facility, format, tls } = options;
  const framed = address.protocol === 'tcp+tls' && format.startsWith('rfc5424');
  return {
    name: `syslog ${addressText(address)}`,
    encode: syslogEncoder({
      format,
      facility,
      tag,
      hostname: 'host' in address ? hostname() : 'localhost',
      pid: process.pid,
      framed,
    }),
    check: () => checkSyslog(address, tls),
    open: (signal) => openSyslog(address, tls, { ...means, signal }),
  };
}

function addressText(address: SyslogAddress): string {
  if (address.protocol === 'local') return 'of this machine';
  const where = 'path' in address ? address.path : `${address.host}:${address.port}`;
  return `${address.protocol}://${where}`;
}

/** A server that is away may come back; a socket or file that is not there is a mistake. */
function checkSyslog(address: SyslogAddress, tls: SyslogOptions['tls']): void {
  if (address.protocol === 'local' && !LOCAL_SYSLOG.some(isSocket)) {
    throw cannotStart('Unix syslog delivery error');
  }
  if ('path' in address && !isSocket(address.path)) {
    throw cannotStart(`stat ${address.path}: no such file or directory`);
  }
  if (address.protocol === 'tcp+tls') tlsOptions(tls);
}

async function openSyslog(
  address: SyslogAddress,
  tls: SyslogOptions['tls'],
  means: Means & { signal: AbortSignal },
): Promise<LogLink> {
  const plain = { ...means, readyEvent: 'connect' } as const;
  switch (address.protocol) {
    case 'local': {
      const path = LOCAL_SYSLOG.find(isSocket);
      if (!path) throw cannotStart('Unix syslog delivery error');
      return openLocalSyslog(path, means);
    }
    case 'unixgram':
      return openUnixDatagramLink(address.path, means);
    case 'unix':
      return openStreamLink(connectTcp(address.path), plain);
    case 'udp':
      return openUdpLink(address.host, address.port);
    case 'tcp':
      return openStreamLink(connectTcp(address.port, address.host), plain);
    case 'tcp+tls': {
      const { host, port } = address;
      const socket = connectTls({ host, port, ...tlsOptions(tls) });
      return openStreamLink(socket, { ...means, readyEvent: 'secureConnect' });
    }
  }
}

/** Nearly all take datagrams, as the C library sends them. */
async function openLocalSyslog(
  path: string,
  means: Means & { signal: AbortSignal },
): Promise<LogLink> {
  try {
    return openUnixDatagramLink(path, means);
  } catch (error) {
    if (!hasErrno(error, 'EPROTOTYPE')) throw error;
    return openStreamLink(connectTcp(path), { ...means, readyEvent: 'connect' });
  }
}

function tlsOptions(tls: SyslogOptions['tls']): ConnectionOptions {
  const { caPath, certificatePath, keyPath, skipVerify } = tls;
  return {
    rejectUnauthorized: !skipVerify,
    ...(caPath ? { ca: readPem('CA certificate', caPath) } : {}),
    ...(certificatePath ? { cert: readPem('certificate', certificatePath) } : {}),
    ...(keyPath ? { key: readPem('key', keyPath) } : {}),
  };
}

function readPem(what: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw cannotStart(`could not read ${what} ${JSON.stringify(path)}: ${String(error)}`);
  }
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function cannotStart(message: string): RpcError {
  const text = `failed to initialize logging driver: ${message}`;
  return new RpcError(Code.INTERNAL, `failed to create task for container: ${text}`);
}
