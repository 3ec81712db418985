import { MessageType } from '@skep/wire/raftpb';
import { describe, expect, it } from 'vitest';
import { EntryType } from '../log/entry.js';
import { blankMessage, decodeEnvelope, encodeEnvelope } from './codec.js';

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
const hex = (array: Uint8Array) => Buffer.from(array).toString('hex');

const to = 0x1122334455667788n;
const from = 0x0102030405060708n;
const IDS = '1088ef99abc5e88c911118888e98a8c0e08081012';
const EMPTY_SNAPSHOT = '4a0a12080a0228001000180050005800';
const HEARTBEAT = `0808${IDS}0072800300040ac02${EMPTY_SNAPSHOT}`;
const VOTE = `0805${IDS}008280730ac024000${EMPTY_SNAPSHOT}621043616d706169676e5472616e73666572`;

const envelope = (fields: Parameters<typeof blankMessage>[0], snapshotData?: Uint8Array) => ({
  message: blankMessage({ to, from, ...fields }),
  snapshotData,
});

describe('messages between peers', () => {
  const heartbeat = envelope({ type: MessageType.MsgHeartbeat, term: 7n, commit: 300n });
  const context = new Uint8Array(Buffer.from('CampaignTransfer'));
  const vote = envelope({
    type: MessageType.MsgVote,
    term: 8n,
    index: 300n,
    logTerm: 7n,
    context,
  });

  it.each([
    ['a heartbeat', heartbeat, HEARTBEAT],
    ['a vote in a transfer', vote, VOTE],
  ])('writes %s as etcd-raft 3.5 does', (_, message, expected) => {
    expect(hex(encodeEnvelope(message))).toBe(expected);
    expect(decodeEnvelope(bytes(expected))).toEqual(message);
  });

  it('takes messages of etcd-raft 3.3 and 3.6: another empty snapshot, or none', () => {
    const old = `0808${IDS}0072800300040ac024a0812060a001000180050005800`;
    const recent = `0808${IDS}0072800300040ac0250005800`;
    expect(decodeEnvelope(bytes(old))).toEqual(heartbeat);
    expect(decodeEnvelope(bytes(recent))).toEqual(heartbeat);
  });

  it('keeps entries byte for byte, empty ones too', () => {
    const entries = [
      { index: 5n, term: 3n, type: EntryType.EntryNormal, data: new Uint8Array(0) },
      { index: 6n, term: 3n, type: EntryType.EntryConfChange, data: Uint8Array.of(1, 2, 3) },
    ];
    const append = envelope({ type: MessageType.MsgApp, index: 4n, logTerm: 2n, entries });
    const encoded = encodeEnvelope(append);
    expect(hex(encoded)).toContain('3a06080010031805' + '3a0b0801100318062203010203');
    expect(decodeEnvelope(encoded)).toEqual(append);
  });

  it('carries a snapshot, and reads its voters packed or not, each once', () => {
    const snapshot = { index: 9n, term: 2n, voters: [1n, 2n ** 62n] };
    const data = Uint8Array.of(7, 8, 9);
    const carried = envelope({ type: MessageType.MsgSnap, snapshot }, data);
    expect(decodeEnvelope(encodeEnvelope(carried))).toEqual(carried);
    const packed = bytes('08074a0b12090a040a020202100918015000');
    expect(decodeEnvelope(packed).message.snapshot).toEqual({ index: 9n, term: 1n, voters: [2n] });
  });
});
