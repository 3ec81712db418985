import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimClock, settle, silentLogger } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogOptions } from '../contract/engine.js';
import { RealKernel } from '../linux/kernel.js';
import { ContainerLog } from './container-log.js';
import { decodeEntry, encodeEntry, isoToNanos, nanosToIso } from './entry.js';
import { LogJournal } from './journal.js';
import { LineSplitter } from './line-splitter.js';
import { readLog } from './log-reader.js';
import { logPolicy } from './options.js';
import type { LogDestination } from './remote/log-link.js';
import { LogShipper } from './remote/shipper.js';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skep-logs-'));
  path = join(directory, 'x-json.log');
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function openLog(config: Record<string, string> = {}): ContainerLog {
  const log = new ContainerLog({
    path,
    journalPath: join(directory, 'journal'),
    kernel: new RealKernel(),
    policy: logPolicy({ Type: 'json-file', Config: config }),
    attributes: () => ({}),
    clock: new SimClock(),
    logger: silentLogger,
  });
  log.setLive(true);
  return log;
}

const everything: LogOptions = { stdout: true, stderr: true, follow: false };

async function read(log: ContainerLog, options: Partial<LogOptions> = {}): Promise<string[]> {
  const lines: string[] = [];
  const signal = new AbortController().signal;
  for await (const entry of readLog(log, { ...everything, ...options }, signal)) {
    lines.push(Buffer.from(entry.line).toString());
  }
  return lines;
}

describe('LineSplitter', () => {
  it('waits for the end of a line', () => {
    const splitter = new LineSplitter();
    expect(splitter.push(Buffer.from('a\nb')).map(String)).toEqual(['a\n']);
    expect(splitter.push(Buffer.from('c\n')).map(String)).toEqual(['bc\n']);
    expect(splitter.flush()).toBeUndefined();
  });

  it('cuts long lines at 16 KiB', () => {
    const splitter = new LineSplitter();
    const lengths = splitter
      .push(Buffer.from(`${'x'.repeat(40_000)}\n`))
      .map((line) => line.length);
    expect(lengths).toEqual([16_384, 16_384, 40_001 - 2 * 16_384]);
  });
});

describe('entries', () => {
  it('survive the way to the file and back', () => {
    const json = encodeEntry(
      Buffer.from('hé "x"\n'),
      'stderr',
      1_700_000_000_123_456_789n,
      '{"a":"b"}',
    );
    expect(json).toBe(
      '{"log":"hé \\"x\\"\\n","stream":"stderr","attrs":{"a":"b"},"time":"2023-11-14T22:13:20.123456789Z"}\n',
    );
    const entry = decodeEntry(json);
    expect(entry).toMatchObject({ stream: 'stderr', timeNs: 1_700_000_000_123_456_789n });
    expect(entry?.attributes).toEqual({ a: 'b' });
  });

  it('reads times of other writers and leaves out damaged lines', () => {
    expect(isoToNanos('2023-11-14T22:13:20.5Z')).toBe(1_700_000_000_500_000_000n);
    expect(nanosToIso(0n)).toBe('1970-01-01T00:00:00.000000000Z');
    expect(decodeEntry('{"log":"x')).toBeUndefined();
  });
});

describe('ContainerLog', () => {
  it('rotates between lines and keeps no more files than allowed', async () => {
    const log = openLog({ 'max-size': '1k', 'max-file': '3' });
    log.write('stdout', Buffer.from(Array.from({ length: 100 }, (_, n) => `line ${n}\n`).join('')));
    const names = readdirSync(directory).filter((name) => !name.endsWith('journal'));
    expect(names.sort()).toEqual(['x-json.log', 'x-json.log.1', 'x-json.log.2']);
    for (const name of names)
      expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(1000);
    log.setLive(false);
    const lines = await read(log);
    expect(lines.at(-1)).toBe('line 99\n');
    expect(await read(log, { tail: 12 })).toEqual(lines.slice(-12));
    expect(await read(log, { tail: 0 })).toEqual([]);
    expect(await read(log, { tail: 1000 })).toEqual(lines);
  });

  it('compresses full files, and reads them as before', async () => {
    const limits = { 'max-size': '1k', 'max-file': '3', compress: 'true' };
    const log = openLog(limits);
    const print = (from: number) => {
      const numbers = Array.from({ length: 10 }, (_, n) => n + from);
      for (const n of numbers) log.write('stdout', Buffer.from(`line ${n}\n`));
    };
    for (let round = 0; round < 6; round++) {
      print(10 * round);
      await log.files.packed;
    }
    const names = readdirSync(directory).filter((name) => !name.endsWith('journal'));
    expect(names.sort()).toEqual(['x-json.log', 'x-json.log.1.gz', 'x-json.log.2.gz']);
    log.setLive(false);
    const lines = await read(log);
    expect(lines.length).toBeGreaterThan(30);
    expect(lines).toEqual(Array.from({ length: 60 }, (_, n) => `line ${n}\n`).slice(-lines.length));
    for (const tail of [5, 20, 29]) expect(await read(log, { tail })).toEqual(lines.slice(-tail));
    expect(readdirSync(directory).filter((name) => !name.endsWith('journal'))).toEqual(names);
  });

  it('selects by stream and time', async () => {
    const log = openLog();
    log.write('stdout', Buffer.from('a\n'));
    log.write('stderr', Buffer.from('b\n'));
    log.setLive(false);
    expect(await read(log, { stderr: false })).toEqual(['a\n']);
    const startNs = BigInt(new SimClock().now()) * 1_000_000n;
    expect(await read(log, { sinceNs: startNs + 1n })).toEqual(['b\n']);
    expect(await read(log, { untilNs: startNs })).toEqual(['a\n']);
  });

  it('is followed across rotations until it ends', async () => {
    const log = openLog({ 'max-size': '1k', 'max-file': '9' });
    const lines = read(log, { follow: true });
    for (let n = 0; n < 40; n++) {
      log.write('stdout', Buffer.from(`line ${n}\n`));
      await settle();
    }
    log.setLive(false);
    expect(await lines).toEqual(Array.from({ length: 40 }, (_, n) => `line ${n}\n`));
  });

  it('writes a last line without newline at the end of the stream', async () => {
    const log = openLog();
    log.write('stdout', Buffer.from('no end'));
    log.end('stdout');
    log.setLive(false);
    expect(await read(log)).toEqual(['no end']);
  });
});

/** What the kernel does when a pipe is read. */
function receive(log: ContainerLog, text: string): Uint8Array {
  const buffer = log.inputBuffer('stdout') as Uint8Array;
  return buffer.subarray(0, Buffer.from(text).copy(buffer));
}

function print(log: ContainerLog, text: string): void {
  log.write('stdout', receive(log, text));
}

async function afterKill(config: Record<string, string> = {}): Promise<string[]> {
  const next = openLog(config);
  next.recover();
  print(next, ' of it\n');
  next.setLive(false);
  return read(next);
}

describe('after a kill', () => {
  const big = `${'y'.repeat(5000)}\nz\nrest`;
  const journal = () => readFileSync(join(directory, 'journal'));

  it('goes on in the middle of a line', async () => {
    print(openLog(), 'half');
    expect(await afterKill()).toEqual(['half of it\n']);
  });

  it('knows what was read and not looked at', async () => {
    const log = openLog();
    print(log, 'a\nb');
    print(log, 'c');
    receive(log, `d\n${big}`);
    const lines = ['a\n', 'bcd\n', `${'y'.repeat(5000)}\n`, 'z\n', 'rest of it\n'];
    expect(await afterKill()).toEqual(lines);
  });

  it.each([
    ['before the append', 0],
    ['in the middle of the append', 2000],
    ['between two lines of it', 5080],
    ['after the append', Number.POSITIVE_INFINITY],
  ])('%s, every line is there once', async (_when, bytes) => {
    const first = openLog();
    print(first, 'a\n');
    const start = statSync(path).size;
    const chunk = receive(first, big);
    const kept = journal();
    first.write('stdout', chunk);
    first.release();
    if (start + bytes < statSync(path).size) truncateSync(path, start + bytes);
    writeFileSync(join(directory, 'journal'), kept);
    expect(await afterKill()).toEqual(['a\n', `${'y'.repeat(5000)}\n`, 'z\n', 'rest of it\n']);
  });

  it.each([0, 10, 400])(
    'between files, %i bytes into the new one, no line is lost',
    async (bytes) => {
      const limits = { 'max-size': '1k', 'max-file': '5' };
      const lines = Array.from({ length: 20 }, (_, n) => `line ${n}\n`);
      const first = openLog(limits);
      print(first, 'a\n');
      const chunk = receive(first, `${lines.join('')}rest`);
      const kept = journal();
      first.write('stdout', chunk);
      first.release();
      truncateSync(path, bytes);
      writeFileSync(join(directory, 'journal'), kept);
      expect(await afterKill(limits)).toEqual(['a\n', ...lines, 'rest of it\n']);
    },
  );

  it('does not take up what was used up and not yet blanked', () => {
    const options = { path: join(directory, 'journal'), kernel: new RealKernel() };
    const killed = new LogJournal(options);
    const state = {
      inode: 1,
      size: 2,
      pending: { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) },
    };
    const area = killed.area('stderr', state);
    area.fill(65, 0, 100);
    expect(killed.read()?.chunks.stderr).toHaveLength(100);
    area.fill = () => {
      throw new Error('killed');
    };
    const pending = { stdout: Buffer.from('out'), stderr: Buffer.from('err') };
    expect(() => killed.commit('stderr', 100, { inode: 1, size: 3, pending })).toThrow('killed');
    const entry = new LogJournal(options).read();
    expect(entry).toEqual({ inode: 1, size: 3, pending, chunks: state.pending });
  });

  it('ignores a journal that is none', () => {
    const first = openLog();
    print(first, big);
    first.release();
    const log = readFileSync(path);
    for (const text of ['{"stream":"stdout","inode":7}', '', '\0', journal().subarray(0, 4000)]) {
      writeFileSync(join(directory, 'journal'), text.toString().padEnd(400));
      openLog().recover();
      expect(readFileSync(path)).toEqual(log);
    }
  });

  it('keeps the log when it can have no journal', async () => {
    mkdirSync(join(directory, 'journal.new'));
    const log = openLog();
    expect(log.inputBuffer('stdout')).toBeUndefined();
    log.write('stdout', Buffer.from('a\nb'));
    log.write('stdout', Buffer.from('c\n'));
    log.setLive(false);
    expect(await read(log)).toEqual(['a\n', 'bc\n']);
  });
});

describe('a remote log', () => {
  const got: string[] = [];
  const destination: LogDestination = {
    name: 'test',
    encode: ({ bytes }) => Buffer.from(bytes),
    check() {},
    open: async () => ({
      send: async (records) => got.push(...records.map(String)) && records.length,
      close() {},
    }),
  };

  function openRemote(config: Record<string, string> = {}): ContainerLog {
    const policy = logPolicy({ Type: 'syslog', Config: config });
    const { remote } = policy;
    if (!remote) throw new Error('not remote');
    const clock = new SimClock();
    const logger = silentLogger;
    return new ContainerLog({
      path,
      journalPath: join(directory, 'journal'),
      kernel: new RealKernel(),
      policy,
      attributes: () => ({}),
      openShipper: () =>
        new LogShipper({ destination, policy: remote, clock, logger, onDropped() {} }),
      clock,
      logger,
    });
  }

  beforeEach(() => void got.splice(0));

  it('gets what is kept, also the line that a kill cut through', async () => {
    const killed = openRemote();
    killed.setLive(true);
    print(killed, 'a\nhalf');
    await settle();
    const next = openRemote();
    next.recover();
    next.setLive(true);
    print(next, ' of it\n');
    next.setLive(false);
    await settle();
    expect(got).toEqual(['a\n', 'half of it\n']);
    expect(await read(next)).toEqual(got);
  });

  it('keeps nothing here when that was asked for', async () => {
    const log = openRemote({ 'cache-disabled': 'true' });
    log.setLive(true);
    expect(log.inputBuffer('stdout')).toBeUndefined();
    log.write('stdout', Buffer.from('a\nb'));
    log.end('stdout');
    log.setLive(false);
    await settle();
    expect(got).toEqual(['a\n', 'b']);
    expect(readdirSync(directory)).toEqual([]);
  });
});
