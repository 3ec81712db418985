import { nanosToIso } from '../entry.js';
import type { Stream } from '../journal.js';
import type { LogEncoder } from './log-link.js';

const PRIORITY = { stderr: '3', stdout: '6' };
const NEWLINE = 10;

export interface JournalFormatOptions {
  /** What is the same in all entries, by name. */
  fields: Readonly<Record<string, string>>;
  /** An id of this run of the driver. */
  epoch: string;
  /** Makes the id of a line that comes in pieces. */
  newId: () => string;
}

/** A name as the journal takes it: capitals, digits and underscores, none of these first. */
export function journalFieldName(name: string): string {
  return name
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .replace(/^_+/, '');
}

/** Entries in the journal's own protocol, with the fields that Docker gives them. */
export function journalEncoder(options: JournalFormatOptions): LogEncoder {
  const constant = Buffer.concat(
    Object.entries({ ...options.fields, CONTAINER_LOG_EPOCH: options.epoch })
      .filter(([name]) => name !== '')
      .map(([name, value]) => field(name, Buffer.from(value))),
  );
  const split = new Map<Stream, { id: string; pieces: number }>();
  let ordinal = 0;
  const partial = (stream: Stream, isLast: boolean): Record<string, string> => {
    const begun = split.get(stream);
    if (!begun && isLast) return {};
    const { id, pieces } = begun ?? { id: options.newId(), pieces: 0 };
    if (isLast) split.delete(stream);
    else split.set(stream, { id, pieces: pieces + 1 });
    return {
      CONTAINER_PARTIAL_ID: id,
      CONTAINER_PARTIAL_ORDINAL: String(pieces + 1),
      CONTAINER_PARTIAL_LAST: String(isLast),
      ...(isLast ? {} : { CONTAINER_PARTIAL_MESSAGE: 'true' }),
    };
  };
  return ({ bytes, stream, timeNs }) => {
    const isWhole = bytes.at(-1) === NEWLINE;
    const own = {
      PRIORITY: PRIORITY[stream],
      SYSLOG_TIMESTAMP: nanosToIso(timeNs),
      CONTAINER_LOG_ORDINAL: String(++ordinal),
      ...partial(stream, isWhole),
    };
    const message = isWhole ? bytes.subarray(0, -1) : bytes;
    const fields = Object.entries(own).map(([name, value]) => field(name, Buffer.from(value)));
    return Buffer.concat([constant, ...fields, field('MESSAGE', message)]);
  };
}

/** `NAME=value`, or, for a value with newlines, its length before it. */
function field(name: string, value: Uint8Array): Buffer {
  if (!value.includes(NEWLINE)) {
    return Buffer.concat([Buffer.from(`${name}=`), value, Buffer.from('\n')]);
  }
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, Buffer.from('\n')]);
}
