import { setImmediate as turn } from 'node:timers/promises';
import { type Logger, SimClock, settle, silentLogger } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { LOG_FLUSH_MS, LOG_HOLD_MS_MAX, LOG_RECONNECT_MS_FIRST } from '../../limits.js';
import { journalEncoder, journalFieldName } from './journal-format.js';
import type { LogDestination, LogLine } from './log-link.js';
import { LogShipper } from './shipper.js';
import { syslogEncoder } from './syslog-format.js';
import type { SyslogFormat } from './syslog-options.js';

const line = (text: string, stream: LogLine['stream'] = 'stdout'): LogLine => ({
  bytes: Buffer.from(text),
  stream,
  timeNs: 1_700_000_000_123_456_789n,
});

describe('syslogEncoder', () => {
  const encode = (format: SyslogFormat, framed = false) =>
    syslogEncoder({ format, framed, facility: 16, tag: 'web', hostname: 'node', pid: 7 });
  const local = new Date(1_700_000_000_123);
  const time = local.toTimeString().slice(0, 8);

  it.each([
    ['unix', `<134>Nov ${local.getDate()} ${time} web[7]: hello\n`],
    ['rfc3164', `<134>Nov ${local.getDate()} ${time} node web[7]: hello\n`],
  ] as const)('writes %s', (format, text) => {
    expect(encode(format)(line('hello\n'))?.toString()).toBe(text);
  });

  it('writes RFC 5424, to the microsecond, framed, and errors as such', () => {
    const seconds = encode('rfc5424')(line('x\n', 'stderr'))?.toString() ?? '';
    expect(seconds).toMatch(
      /^<131>1 2023-11-1\dT\d\d:\d\d:20(Z|[+-]\d\d:\d\d) node web 7 web - x\n$/,
    );
    const micros = encode('rfc5424micro', true)(line('x\n'))?.toString() ?? '';
    expect(micros).toMatch(/^\d+ <134>1 2023-11-1\dT\d\d:\d\d:20\.123456/);
    const [length = '', ...rest] = micros.split(' ');
    expect(Number(length)).toBe(rest.join(' ').length);
    expect(encode('unix')(line('\n'))).toBeUndefined();
  });
});

describe('journalEncoder', () => {
  let ids = 0;
  const encoder = () =>
    journalEncoder({
      fields: { CONTAINER_NAME: 'web' },
      epoch: 'e',
      newId: () => `id${ids++}`,
    });

  it('writes fields in the protocol of the journal', () => {
    expect(encoder()(line('hello\n'))?.toString()).toBe(
      'CONTAINER_NAME=web\nCONTAINER_LOG_EPOCH=e\nPRIORITY=6\n' +
        'SYSLOG_TIMESTAMP=2023-11-14T22:13:20.123456789Z\nCONTAINER_LOG_ORDINAL=1\nMESSAGE=hello\n',
    );
    expect(encoder()(line('x\n', 'stderr'))?.toString()).toContain('PRIORITY=3\n');
    const twoLines = journalEncoder({ fields: { A: 'b\nc' }, epoch: '', newId: () => '' });
    expect(twoLines(line('x\n'))?.subarray(0, 14).toString()).toBe('A\n\x03\0\0\0\0\0\0\0b\nc\n');
    expect(journalFieldName('_com.example-x')).toBe('COM_EXAMPLE_X');
  });

  it('says of pieces of a long line that they are pieces', () => {
    const encode = encoder();
    const pieces = ['a', 'b', 'c\n', 'd\n'].map((text) => encode(line(text))?.toString() ?? '');
    const field = (name: string) =>
      pieces.map((piece) => new RegExp(`^CONTAINER_PARTIAL_${name}=(.*)$`, 'm').exec(piece)?.[1]);
    expect(field('ORDINAL')).toEqual(['1', '2', '3', undefined]);
    expect(field('LAST')).toEqual(['false', 'false', 'true', undefined]);
    expect(field('MESSAGE')).toEqual(['true', 'true', undefined, undefined]);
    expect(new Set(field('ID').slice(0, 3)).size).toBe(1);
  });
});

/** A receiver that takes, takes not yet, or is away, as the test says. */
class Receiver implements LogDestination {
  readonly name = 'test';
  readonly got: string[] = [];
  isAway = false;
  isStuck = false;
  opened = 0;

  encode = ({ bytes }: LogLine) => Buffer.from(bytes);

  check(): void {}

  async open() {
    this.opened++;
    if (this.isAway) throw new Error('away');
    return {
      send: async (records: readonly Buffer[]) => {
        while (this.isStuck) await turn();
        if (this.isAway) throw new Error('lost');
        const [first] = records;
        if (first && first.length > 1000) {
          throw Object.assign(new Error('too long'), { code: 'EMSGSIZE' });
        }
        this.got.push(...records.map(String));
        return records.length;
      },
      close: () => {},
    };
  }
}

describe('LogShipper', () => {
  function setUp(policy = { bufferBytesMax: 10, holdsBack: false }) {
    const receiver = new Receiver();
    const clock = new SimClock();
    const said: [string, object][] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (fields, message) => void said.push([message, fields]),
    };
    let dropped = 0;
    const shipper = new LogShipper({
      destination: receiver,
      policy,
      clock,
      logger,
      onDropped: (entries) => {
        dropped += entries;
      },
    });
    const take = (...texts: string[]) => {
      for (const text of texts) shipper.take(line(text));
    };
    return { receiver, clock, shipper, take, said, dropped: () => dropped };
  }

  it('sends in order, and what is left at the end', async () => {
    const { receiver, shipper, take, clock } = setUp();
    take('a\n', 'b\n');
    await settle();
    take('c\n');
    await shipper.close();
    expect(receiver.got).toEqual(['a\n', 'b\n', 'c\n']);
    expect(receiver.opened).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('keeps what fits while the receiver is away, drops the rest, and says so', async () => {
    const { receiver, clock, take, said, dropped } = setUp();
    receiver.isAway = true;
    take('aaaa\n', 'bbbb\n', 'cccc\n', 'dddd\n');
    await settle();
    expect(dropped()).toBe(2);
    receiver.isAway = false;
    await clock.advance(LOG_RECONNECT_MS_FIRST);
    expect(receiver.got).toEqual(['aaaa\n', 'bbbb\n']);
    expect(said.map(([message]) => message)).toEqual([
      'log entries are dropped on their way',
      'log entries cannot be delivered and wait',
      'log entries are delivered again',
    ]);
    expect(said.at(-1)?.[1]).toMatchObject({ dropped: 2 });
  });

  it('holds the container back, but not for ever', async () => {
    const { receiver, clock, shipper, take, dropped } = setUp({
      bufferBytesMax: 10,
      holdsBack: true,
    });
    receiver.isAway = true;
    take('aaaa\n', 'bbbb\n', 'late\n');
    let released = 0;
    shipper.onRoom(() => {
      released++;
    });
    expect(shipper.holdsBack).toBe(true);
    expect(dropped()).toBe(0);
    await clock.advance(LOG_HOLD_MS_MAX);
    expect([released, shipper.holdsBack]).toEqual([1, false]);
    take('dropped\n');
    expect(dropped()).toBe(1);
    receiver.isAway = false;
    await clock.advance(20_000);
    expect(receiver.got).toEqual(['aaaa\n', 'bbbb\n', 'late\n']);
    take('eeee\n', 'ffff\n');
    expect(shipper.holdsBack).toBe(true);
  });

  it('ends within a bound, whatever the receiver does', async () => {
    const { receiver, clock, shipper, take, dropped } = setUp();
    receiver.isAway = true;
    take('a\n', 'b\n');
    const closed = shipper.close();
    await clock.advance(LOG_FLUSH_MS);
    await closed;
    expect(dropped()).toBe(2);
    expect(clock.pendingTimers).toBe(0);
  });

  it('leaves out what no datagram can hold', async () => {
    const { receiver, take, dropped } = setUp({ bufferBytesMax: 10_000, holdsBack: false });
    take(`${'x'.repeat(2000)}\n`, 'b\n');
    await settle();
    expect(receiver.got).toEqual(['b\n']);
    expect(dropped()).toBe(1);
  });
});
