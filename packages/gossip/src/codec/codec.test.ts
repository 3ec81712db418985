import { SimRandom } from '@skep/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipFromBytes, ipToBytes } from '../address.js';
import { GossipFormatError } from '../errors.js';
import { Keyring } from './keyring.js';
import { unpackLzw } from './lzw.js';
import { decodeMessage, encodeMessage, type Message } from './messages.js';
import { encodeStruct, StructReader } from './msgpack.js';
import { compound, readPacket, withChecksum } from './packet.js';
import {
  decodeStreamMessage,
  encodeStreamMessage,
  NodeState,
  openStream,
  type PushPull,
  sealStream,
  streamLength,
} from './stream.js';

const bytes = (hex: string) => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
const ADDRESS = { ip: '192.168.9.2', port: 7946 };
const VERSIONS = Uint8Array.of(1, 5, 2, 0, 0, 0);

/** Written down from the format's rules, byte by byte. */
const PING = bytes(
  `00 85 a5 5365714e6f 07 a4 4e6f6465 a2 6e31 aa 536f7572636541646472 a4 c0a80902
   aa 536f75726365506f7274 cd 1f0a aa 536f757263654e6f6465 a2 6e32`,
);

describe("memberlist's messages", () => {
  it('have the bytes of the old msgpack', () => {
    const source = { ...ADDRESS, name: 'n2' };
    const ping: Message = { kind: 'ping', sequence: 7, node: 'n1', source };
    expect(encodeMessage(ping).toString('hex')).toBe(PING.toString('hex'));
    expect(decodeMessage(PING)).toEqual(ping);
    const dead = encodeMessage({ kind: 'dead', incarnation: 300, node: 'n1', from: 'n1' });
    expect(dead.toString('hex')).toBe(
      '0583ab496e6361726e6174696f6ecd012ca44e6f6465a26e31a446726f6da26e31',
    );
  });

  it('come back as they went', () => {
    const messages: Message[] = [
      { kind: 'ping', sequence: 0, node: 'n', source: undefined },
      { kind: 'ack', sequence: 2 ** 32 - 1 },
      { kind: 'nack', sequence: 128 },
      { kind: 'suspect', incarnation: 65_536, node: 'n'.repeat(40), from: 'b' },
      {
        ...{ kind: 'indirect-ping', sequence: 256, target: ADDRESS, node: 'n' },
        ...{ wantsNack: true, source: { ip: '2001:db8::7', port: 1, name: 'm' } },
      },
      {
        ...{ kind: 'alive', incarnation: 1, node: 'n', address: ADDRESS },
        ...{ meta: new Uint8Array(), versions: VERSIONS },
      },
      { kind: 'user', payload: Uint8Array.of(1, 2, 3) },
    ];
    for (const message of messages) {
      const back = decodeMessage(encodeMessage(message));
      expect(JSON.stringify(back)).toBe(JSON.stringify(decodeMessage(encodeMessage(back))));
      expect(back).toMatchObject({ kind: message.kind });
    }
  });

  it('are taken in the newer msgpack as well, with fields that are not known', () => {
    // A str8 name, a bin8 value, a float, a list, a map, a negative number, nil.
    const struct = new StructReader(
      bytes(
        '87 d901 61 c402 0102 a162 cb3ff0000000000000 a163 92 01 02 a164 81 a1 78 01 a165 ff a166 c0 a167 d1 0100',
      ),
    ).next();
    expect([...struct.bytes('a', 2)]).toEqual([1, 2]);
    expect(struct.uint('b', 1)).toBe(0);
    expect(struct.uint('g', 256)).toBe(256);
  });

  it('are refused where they are none', () => {
    const wrong = ['', '00', '00 c0', '00 81', '63 80', '00 8f a1', '04 80', '00 df ffffffff'];
    for (const hex of wrong) expect(() => decodeMessage(bytes(hex))).toThrow(GossipFormatError);
    const tooLong = encodeStruct({ Node: 'n'.repeat(257) });
    expect(() => decodeMessage(Buffer.concat([Buffer.of(0), tooLong]))).toThrow('too long');
    const nested = `81 a161 ${'91'.repeat(50)} 01`;
    expect(() => new StructReader(bytes(nested)).next()).toThrow('too deep');
  });
});

describe('packets', () => {
  it('carry several messages, under a checksum', () => {
    const messages = [1, 2, 3].map((sequence) => encodeMessage({ kind: 'nack', sequence }));
    const packet = withChecksum(compound(messages));
    expect(packet.subarray(0, 1)).toEqual(Buffer.of(12));
    const { messages: read, malformed } = readPacket(packet);
    expect(read.map((message) => 'sequence' in message && message.sequence)).toEqual([1, 2, 3]);
    expect(malformed).toBe(0);
    packet[8] = 0xff;
    expect(readPacket(packet)).toEqual({ messages: [], malformed: 1 });
  });

  it('leave out what is wrong in them, and no more', () => {
    const good = encodeMessage({ kind: 'nack', sequence: 5 });
    const packet = compound([good, Buffer.of(99, 1, 2), good]);
    expect(readPacket(packet)).toMatchObject({ messages: [{}, {}], malformed: 1 });
    expect(readPacket(packet.subarray(0, packet.length - 1)).messages).toHaveLength(1);
  });

  it('are not wrapped without end', () => {
    let packet: Uint8Array = encodeMessage({ kind: 'nack', sequence: 5 });
    for (let depth = 0; depth < 50; depth++) packet = compound([packet, packet.subarray(0, 1)]);
    expect(readPacket(packet).messages).toEqual([]);
  });

  it('are read whatever is in them', () => {
    const anything = fc.uint8Array({ maxLength: 200 });
    const typed = fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13), anything);
    fc.assert(
      fc.property(typed, ([type, rest]) => {
        readPacket(Buffer.concat([Buffer.of(type), rest]));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('what is packed', () => {
  it("unpacks: GIF's well-known example", () => {
    const unpacked = unpackLzw(bytes('00 51 fc 1b 28 70 a0 c1 83 01 01'), 100);
    expect(unpacked.toString('hex')).toBe('28ffffff28ffffffffffffffffffff');
  });

  it('is refused where it is cut short, names what is not there, or is too much', () => {
    expect(() => unpackLzw(bytes('00 51 fc'), 100)).toThrow('cut short');
    expect(() => unpackLzw(bytes('00 ff ff ff'), 100)).toThrow('stands for nothing');
    expect(() => unpackLzw(bytes('00 51 fc 1b 28 70 a0 c1 83 01 01'), 14)).toThrow('too much');
  });

  it('is bounded, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (packed) => {
        try {
          expect(unpackLzw(packed, 1_000).length).toBeLessThanOrEqual(1_000);
        } catch (error) {
          expect(error).toBeInstanceOf(GossipFormatError);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the keyring', () => {
  const keys = [1, 2, 3].map((fill) => new Uint8Array(16).fill(fill));
  const ringOf = (...order: number[]) => {
    const chosen = order.map((at) => keys[at] as Uint8Array);
    return new Keyring({ keys: chosen, random: new SimRandom(1) });
  };
  const plain = Buffer.from('what it says');

  it('opens what any of its keys has sealed', () => {
    const sealed = ringOf(2).seal(plain);
    expect(sealed[0]).toBe(1);
    expect(sealed).toHaveLength(plain.length + 29);
    expect(ringOf(0, 1, 2).open(sealed)).toEqual(plain);
    expect(() => ringOf(0, 1).open(sealed)).toThrow('none of the keys');
    expect(() => ringOf(2).open(sealed, Buffer.of(1))).toThrow('none of the keys');
  });

  it('refuses what was changed, and what is not sealed', () => {
    const sealed = ringOf(0).seal(plain);
    for (let at = 1; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => ringOf(0).open(changed)).toThrow(GossipFormatError);
    }
    for (const hex of ['', '01', '02', PING.toString('hex')]) {
      expect(() => ringOf(0).open(bytes(hex))).toThrow(GossipFormatError);
    }
  });

  it('takes off the padding of old versions', () => {
    const padded = Buffer.concat([plain, Buffer.alloc(4, 4)]);
    const sealed = ringOf(0).seal(padded);
    sealed[0] = 0;
    expect(ringOf(0).open(sealed)).toEqual(plain);
    const wrong = ringOf(0).seal(Buffer.alloc(16, 17));
    wrong[0] = 0;
    expect(() => ringOf(0).open(wrong)).toThrow('padded wrongly');
  });

  it('seals a stream with its length, which nobody can change', () => {
    const frame = sealStream(ringOf(1), plain);
    expect(frame[0]).toBe(10);
    expect(streamLength(frame.subarray(0, 5))).toBe(frame.length - 5);
    expect(openStream(ringOf(0, 1), frame)).toEqual(plain);
    frame[4] = (frame[4] ?? 0) + 1;
    expect(() => openStream(ringOf(1), frame)).toThrow(GossipFormatError);
    expect(() => streamLength(bytes('0a ff ff ff ff'))).toThrow('too long');
    expect(() => streamLength(bytes('06 00 00 00 01'))).toThrow('not sealed');
  });
});

describe('what goes over TCP', () => {
  const state: PushPull = {
    kind: 'push-pull',
    isJoin: true,
    nodes: [
      {
        ...{ node: 'n1', address: ADDRESS, incarnation: 4, state: NodeState.SUSPECT },
        ...{ meta: Buffer.alloc(0), versions: Buffer.from(VERSIONS) },
      },
    ],
    userState: Buffer.from('tables'),
  };

  it('comes back as it went', () => {
    expect(decodeStreamMessage(encodeStreamMessage(state))).toEqual(state);
    const user = { kind: 'user', payload: Buffer.from('payload') } as const;
    expect(decodeStreamMessage(encodeStreamMessage(user))).toEqual(user);
    const error = { kind: 'error', message: 'no' } as const;
    expect(decodeStreamMessage(encodeStreamMessage(error))).toEqual(error);
  });

  it('leaves out a node that cannot be, and keeps the others', () => {
    const [node] = state.nodes;
    const wrong = { ...node, node: 'x'.repeat(300) } as PushPull['nodes'][0];
    const back = decodeStreamMessage(
      encodeStreamMessage({ ...state, nodes: [wrong, ...state.nodes] }),
    );
    expect(back).toEqual(state);
  });

  it('is refused where it is cut short', () => {
    const whole = encodeStreamMessage(state);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeStreamMessage(whole.subarray(0, length))).toThrow(GossipFormatError);
    }
  });
});

describe('addresses', () => {
  it('have one form', () => {
    for (const ip of ['10.0.0.1', '2001:db8::7', '::1', 'fe80::1:0:0:1', '1:2:3:4:5:6:7:8', '::']) {
      expect(ipFromBytes(ipToBytes(ip))).toBe(ip);
    }
    expect(ipFromBytes(bytes('00000000000000000000ffff c0a80902'))).toBe('192.168.9.2');
    expect(() => ipFromBytes(bytes('c0a809'))).toThrow(GossipFormatError);
    expect(() => ipToBytes('localhost')).toThrow(GossipFormatError);
  });
});
