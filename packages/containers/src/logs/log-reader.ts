import { type FileHandle, open } from 'node:fs/promises';
import { hasErrno } from '@skep/platform';
import type { LogEntry, LogOptions } from '../contract/engine.js';
import { LOG_READ_BLOCK_BYTES } from '../limits.js';
import type { ContainerLog } from './container-log.js';
import { decodeEntry } from './entry.js';
import { openPacked, PACKED } from './packed-file.js';

const NEWLINE = 10;

interface Position {
  generation: number;
  offset: number;
}

/**
 * Reads a container's log: the last lines or all, then, following, what is added until the
 * container's streams end. Holds one block of one file in memory, whatever the log's size.
 */
export async function* readLog(
  log: ContainerLog,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogEntry> {
  const start = await tailPosition(log, options.tail);
  for await (const json of readLines(log, start, options.follow, signal)) {
    const entry = decodeEntry(json);
    if (!entry) continue;
    if (options.untilNs !== undefined && entry.timeNs > options.untilNs) return;
    if (options.sinceNs !== undefined && entry.timeNs < options.sinceNs) continue;
    if (entry.stream === 'stdout' ? options.stdout : options.stderr) yield entry;
  }
}

/**
 * Where the last `lines` lines begin: blocks are read backwards, files from the newest to the
 * oldest.
 */
async function tailPosition(log: ContainerLog, lines: number | undefined): Promise<Position> {
  const { files } = log;
  if (lines === undefined) return { generation: files.oldestGeneration, offset: 0 };
  let wanted = lines;
  for (let generation = files.generation; generation >= files.oldestGeneration; generation--) {
    const file = await openGeneration(log, generation);
    if (!file) continue;
    try {
      const found = await seekLinesBack(file, wanted);
      if (found.lines >= wanted) return { generation, offset: found.offset };
      wanted -= found.lines;
    } finally {
      await file.close();
    }
  }
  return { generation: files.oldestGeneration, offset: 0 };
}

/** Offset of the last `wanted` lines of a file, or its start and how many lines it has. */
async function seekLinesBack(
  file: FileHandle,
  wanted: number,
): Promise<{ lines: number; offset: number }> {
  const { size } = await file.stat();
  if (wanted === 0) return { lines: 0, offset: size };
  const block = Buffer.alloc(LOG_READ_BLOCK_BYTES);
  let lines = 0;
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - block.length);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    for (let index = bytesRead - 1; index >= 0; index--) {
      // The newline that ends the file ends the last line; any other begins the line after it.
      if (block[index] !== NEWLINE || start + index === size - 1) continue;
      if (++lines === wanted) return { lines, offset: start + index + 1 };
    }
    end = start;
  }
  return { lines: size > 0 ? lines + 1 : 0, offset: 0 };
}

async function* readLines(
  log: ContainerLog,
  start: Position,
  follow: boolean,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let { generation, offset } = start;
  for (;;) {
    const file = await openGeneration(log, generation);
    const isCurrent = () => generation === log.files.generation;
    if (file) {
      try {
        yield* readFile(log, file, { offset, signal, wait: follow ? isCurrent : () => false });
      } finally {
        await file.close();
      }
    } else if (follow && isCurrent() && log.live) {
      await changed(log, signal);
    }
    if (signal.aborted || (isCurrent() && !(follow && log.live))) return;
    if (isCurrent()) continue;
    generation = Math.max(generation + 1, log.files.oldestGeneration);
    offset = 0;
  }
}

/**
 * Lines from one file; at its end waits for more as long as `wait` says that more may come here.
 */
async function* readFile(
  log: ContainerLog,
  file: FileHandle,
  options: { offset: number; signal: AbortSignal; wait: () => boolean },
): AsyncGenerator<string> {
  const block = Buffer.alloc(LOG_READ_BLOCK_BYTES);
  let offset = options.offset;
  let rest = Buffer.alloc(0);
  for (;;) {
    // Asked before reading: what is written after the question is announced to a waiter.
    const mayGrow = options.wait() && log.live;
    const change = watchChange(log);
    try {
      const { bytesRead } = await file.read(block, 0, block.length, offset);
      offset += bytesRead;
      let data =
        rest.length > 0
          ? Buffer.concat([rest, block.subarray(0, bytesRead)])
          : block.subarray(0, bytesRead);
      for (let newline = data.indexOf(NEWLINE); newline >= 0; newline = data.indexOf(NEWLINE)) {
        yield data.toString('utf8', 0, newline);
        if (options.signal.aborted) return;
        data = data.subarray(newline + 1);
      }
      rest = Buffer.from(data);
      if (bytesRead > 0) continue;
      if (!mayGrow) return;
      await change.wait(options.signal);
      if (options.signal.aborted) return;
    } finally {
      change.stop();
    }
  }
}

/**
 * Remembers a change from the moment it is made, so that one between a read and the wait is not
 * missed.
 */
function watchChange(log: ContainerLog): {
  wait(signal: AbortSignal): Promise<void>;
  stop(): void;
} {
  let changedAlready = false;
  let wake: (() => void) | undefined;
  const stop = log.onChange(() => {
    changedAlready = true;
    wake?.();
  });
  return {
    stop,
    wait: (signal) =>
      new Promise((resolve) => {
        if (changedAlready || signal.aborted) return resolve();
        const finish = () => {
          signal.removeEventListener('abort', finish);
          resolve();
        };
        wake = finish;
        signal.addEventListener('abort', finish, { once: true });
      }),
  };
}

async function changed(log: ContainerLog, signal: AbortSignal): Promise<void> {
  const change = watchChange(log);
  try {
    await change.wait(signal);
  } finally {
    change.stop();
  }
}

/** Opens a generation where it is now; a rotation between naming and opening is tried again. */
async function openGeneration(
  log: ContainerLog,
  generation: number,
): Promise<FileHandle | undefined> {
  for (;;) {
    const before = log.files.generation;
    const path = log.files.pathOf(generation);
    const file = (await openIfThere(path)) ?? (await openPacked(path + PACKED));
    if (log.files.generation === before) return file;
    await file?.close();
    if (generation < log.files.oldestGeneration) return undefined;
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
