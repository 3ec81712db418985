import { SimRandom } from '@skep/platform';
import { decode, encode, type Packet, RECURSION_DESIRED, TRUNCATED_RESPONSE } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endpointOf, networkOf, serviceOf, updateOf } from '../tables/objects.sim.js';
import { Tables } from '../tables/tables.js';
import { answerQuestion } from './answer-question.js';
import { sandboxOf } from './asker.sim.js';
import { askerOf } from './names/asker.js';
import { NameIndex } from './names/name-index.js';
import type { NameProtocol } from './sockets/contract.js';

const asker = askerOf(sandboxOf());
const index = new NameIndex();
const tables = new Tables();
tables.addReader(index);
await tables.update(
  updateOf(1n, {
    complete: true,
    networks: [networkOf('net')],
    services: [serviceOf('web'), serviceOf('many', { virtualIp: '' })],
    endpoints: Array.from({ length: 200 }, (_, place) => {
      return endpointOf(`m${place}`, { serviceId: 'many', addresses: [`10.0.3.${place}/16`] });
    }),
  }),
);
const random = new SimRandom(1);

function outcome(message: Buffer, protocol: NameProtocol = 'udp') {
  return answerQuestion({ message, protocol, asker, index, random });
}

function answer(packet: Packet, protocol: NameProtocol = 'udp') {
  const result = outcome(encode(packet), protocol);
  return result.kind === 'answer'
    ? { ...decode(result.answer), bytes: result.answer }
    : result.kind;
}

function question(name: string, more: Packet = {}, type: 'A' | 'AXFR' | 'MX' = 'A'): Packet {
  const questions = [{ name, type, class: 'IN' as const }];
  return { type: 'query', id: 4711, flags: RECURSION_DESIRED, questions, ...more };
}

const edns = (udpPayloadSize: number, ednsVersion = 0) => ({
  additionals: [
    { type: 'OPT', name: '.', udpPayloadSize, ednsVersion, flags: 0, options: [] } as never,
  ],
});

describe('an answer', () => {
  it('repeats the question as it was written, and may be kept for a second', () => {
    expect(answer(question('WEB'))).toMatchObject({
      type: 'response',
      id: 4711,
      rcode: 'NOERROR',
      flag_rd: true,
      flag_ra: true,
      flag_tc: false,
      questions: [{ name: 'WEB', type: 'A' }],
      answers: [{ name: 'WEB', type: 'A', ttl: 1, data: '10.0.1.100' }],
      additionals: [],
    });
  });

  it('without records is no error where the name exists', () => {
    const empty = { rcode: 'NOERROR', answers: [], additionals: [] };
    expect(answer(question('web', {}, 'MX'))).toMatchObject(empty);
  });

  it.each([
    [512, undefined],
    [512, 100],
    [1232, 1232],
    [4096, 65_000],
  ])('fits into %d bytes, and says what is missing', (bytesMax, asked) => {
    const cut = answer(question('many', asked === undefined ? {} : edns(asked)));
    if (typeof cut === 'string') return expect.unreachable(cut);
    const all = cut.answers?.length === 200;
    expect(cut.bytes.length).toBeLessThanOrEqual(bytesMax);
    expect(cut.bytes.length).toBeGreaterThan(Math.min(bytesMax, 3000) - 16);
    expect(cut).toMatchObject({ rcode: 'NOERROR', flag_tc: !all });
    expect(cut.additionals).toHaveLength(asked === undefined ? 0 : 1);
  });

  it('is whole by TCP', () => {
    const whole = answer(question('many'), 'tcp');
    expect(whole).toMatchObject({ flag_tc: false });
    expect(typeof whole !== 'string' && whole.answers).toHaveLength(200);
  });

  it('gives each address the first place equally often', () => {
    const first = new Map<unknown, number>();
    for (let round = 0; round < 1_000; round++) {
      const given = answer(question('tasks.many'), 'tcp');
      const data = typeof given !== 'string' && given.bytes.subarray(-16 * 200).readUInt32BE(12);
      first.set(data, (first.get(data) ?? 0) + 1);
    }
    expect(first.size).toBeGreaterThan(180);
    expect(Math.max(...first.values())).toBeLessThan(25);
  });
});

describe('a question', () => {
  it('of the world is handed on', () => {
    expect(answer(question('example.org'))).toBe('forward');
  });

  it('for a zone, or with another opcode or class, is refused', () => {
    expect(answer(question('web', {}, 'AXFR'))).toMatchObject({ rcode: 'REFUSED' });
    expect(answer(question('web', { flags: 2 << 11 }))).toMatchObject({ rcode: 'NOTIMP' });
    const chaos = { questions: [{ name: 'version.bind', type: 'TXT', class: 'CH' }] } as Packet;
    expect(answer(question('', chaos))).toMatchObject({ rcode: 'REFUSED' });
  });

  it('of a later EDNS is answered with the version that is known', () => {
    const refused = answer(question('web', edns(1232, 1)));
    expect(refused).toMatchObject({ answers: [], additionals: [{ extendedRcode: 1 }] });
  });

  it('that cannot be read is a format error, with its id', () => {
    const asked = encode(question('web'));
    for (const length of [12, 14, asked.length - 1]) {
      const cut = outcome(Buffer.from(asked.subarray(0, length)));
      if (cut.kind !== 'answer') return expect.unreachable(cut.kind);
      expect(cut.answer).toHaveLength(12);
      expect(cut.answer.readUInt16BE(0)).toBe(4711);
      expect(cut.answer.readUInt16BE(2)).toBe(0x8101);
    }
    const two = { questions: [...(question('web').questions ?? []), { name: 'x', type: 'A' }] };
    const answered = outcome(encode(question('', two as Packet)));
    expect(answered.kind === 'answer' && answered.answer.readUInt16BE(2) & 15).toBe(1);
  });

  it('that is an answer, or less than a header, is left alone', () => {
    expect(answer(question('web', { type: 'response', flags: TRUNCATED_RESPONSE }))).toBe('ignore');
    expect(outcome(Buffer.alloc(11)).kind).toBe('ignore');
    expect(outcome(Buffer.alloc(0)).kind).toBe('ignore');
  });

  it('may be any bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 600 });
    fc.assert(
      fc.property(bytes, (data) => answersSoundly(Buffer.from(data))),
      { numRuns: 2_000 },
    );
  });

  it('may have any byte changed', () => {
    const asked = encode(question('tasks.many.net', edns(1232)));
    const place = fc.nat({ max: asked.length - 1 });
    const changes = fc.array(fc.tuple(place, fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(changes, (list) => {
        const message = Buffer.from(asked);
        for (const [at, byte] of list) message[at] = byte;
        answersSoundly(message);
      }),
      { numRuns: 5_000 },
    );
  });
});

/** Whatever the message, an answer is one that can be read, to its id, and of a bounded size. */
function answersSoundly(message: Buffer): void {
  const result = outcome(message);
  if (result.kind !== 'answer') return;
  const packet = decode(result.answer);
  expect(packet).toMatchObject({ type: 'response', id: message.readUInt16BE(0) });
  expect(result.answer.length).toBeLessThanOrEqual(4_096);
}
