import type { Disk } from '@skep/platform';
import { LogCorruptError } from '../errors.js';
import { decodeEntry, type LogEntry } from './entry.js';
import type { EntryLocation } from './entry-index.js';
import { readRecord } from './record.js';
import type { Segment } from './segment.js';

/** Reads entries from where the index says they are, one file after the other. */
export async function readEntries(
  disk: Disk,
  locations: readonly EntryLocation[],
): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (let at = 0; at < locations.length; ) {
    const segment = locations[at]!.segment;
    let end = at;
    while (end < locations.length && locations[end]!.segment === segment) end++;
    entries.push(...(await readFromSegment(disk, segment, locations.slice(at, end))));
    at = end;
  }
  return entries;
}

async function readFromSegment(
  disk: Disk,
  segment: Segment,
  locations: readonly EntryLocation[],
): Promise<LogEntry[]> {
  const file = await disk.open(segment.path, 'read');
  try {
    const entries: LogEntry[] = [];
    for (const { offset, length } of locations) {
      const bytes = Buffer.from(await file.read(offset, length));
      const record = readRecord(segment, bytes, 0, offset);
      if (!record || record === 'sealed') {
        throw new LogCorruptError(segment.path, `the entry at ${offset} cannot be read`);
      }
      entries.push(decodeEntry(record.payload));
    }
    return entries;
  } finally {
    await file.close();
  }
}
