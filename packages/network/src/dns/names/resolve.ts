import type { HostAddress } from '../../address/host-address.js';
import type { AnswerRecord } from '../message/answer.js';
import { RecordType } from '../message/codes.js';
import { encodeName } from '../message/name.js';
import type { Asker, AskerNetwork } from './asker.js';
import type { NameIndex } from './name-index.js';

/** What the networks of a container say to a question. */
export type Resolution =
  | { kind: 'records'; records: AnswerRecord[] }
  /** There is such a name, and nothing of what was asked for under it. */
  | { kind: 'empty' }
  /** No such name, and nobody else can know better. */
  | { kind: 'no-such-name' }
  /** It cannot be known yet: the tables are still to come. */
  | { kind: 'not-known-yet' }
  /** The name is nothing of the networks'. */
  | { kind: 'outside' };

const EMPTY: Resolution = { kind: 'empty' };
const OUTSIDE: Resolution = { kind: 'outside' };

/**
 * Answers from the networks of the one who asks, as Docker does: in the order of its networks, the
 * first that has an address under the name; `name.network` means that network alone. Addresses come
 * in the order of the tables.
 */
export function resolve(
  question: { name: string; type: number },
  asker: Asker,
  index: NameIndex,
): Resolution {
  const { name, type } = question;
  const reversed = type === RecordType.PTR && resolveReverse(name, asker, index);
  if (reversed) return reversed;
  const found = findAddresses(name, type, asker, index);
  if (found === undefined) return unknown(name, type, asker, index);
  return found.length > 0 ? { kind: 'records', records: found.map(addressRecord) } : EMPTY;
}

/** Undefined when no network has the name. */
function findAddresses(
  name: string,
  type: number,
  asker: Asker,
  index: NameIndex,
): HostAddress[] | undefined {
  let exists = false;
  const lookInto = (network: AskerNetwork, part: string) => {
    const found = findIn(network, part, index);
    if (found) exists = true;
    return (found ?? []).filter(({ version }) => wanted(type, version));
  };
  for (const network of asker.networks) {
    const found = lookInto(network, name);
    if (found.length > 0) return found;
  }
  for (const network of asker.networks) {
    if (!name.endsWith(`.${network.name}`)) continue;
    const found = lookInto(network, name.slice(0, -network.name.length - 1));
    if (found.length > 0) return found;
  }
  return exists ? [] : undefined;
}

function findIn(network: AskerNetwork, name: string, index: NameIndex): HostAddress[] | undefined {
  const found = index.network(network.id)?.find(name);
  if (found && found.length > 0) return found;
  if (network.ownAddress && network.ownNames.has(name)) return [network.ownAddress];
  return found;
}

function wanted(type: number, version: 4 | 6): boolean {
  if (type === RecordType.ANY) return true;
  return type === (version === 4 ? RecordType.A : RecordType.AAAA);
}

function addressRecord({ version, data }: HostAddress): AnswerRecord {
  return { type: version === 4 ? RecordType.A : RecordType.AAAA, data };
}

function unknown(name: string, type: number, asker: Asker, index: NameIndex): Resolution {
  const single = !name.includes('.');
  const inNetwork = asker.networks.some((network) => name.endsWith(`.${network.name}`));
  if ((single || inNetwork) && awaitsTables(asker, index)) return { kind: 'not-known-yet' };
  const forAddress = type === RecordType.A || type === RecordType.AAAA;
  return single && name !== '' && forAddress && asker.keepsSingleLabels ? EMPTY : OUTSIDE;
}

function awaitsTables(asker: Asker, index: NameIndex): boolean {
  return asker.networks.some(({ id }) => index.network(id) === undefined);
}

/** Undefined when the address is none of the networks'. */
function resolveReverse(name: string, asker: Asker, index: NameIndex): Resolution | undefined {
  let inside = false;
  for (const network of asker.networks) {
    const names = index.network(network.id);
    const data = encodeName(names?.findReverse(name) ?? '');
    if (data) return { kind: 'records', records: [{ type: RecordType.PTR, data }] };
    inside ||= names?.hasReverse(name) ?? false;
  }
  return inside ? { kind: 'no-such-name' } : undefined;
}
