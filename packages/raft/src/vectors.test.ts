import { create, toBinary } from '@bufbuild/protobuf';
import { ClusterSnapshotSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { decodeEntry, EntryType, encodeEntry } from './log/entry.js';
import {
  ConfChangeType,
  decodeMember,
  encodeChange,
  encodeMember,
  Membership,
} from './membership.js';
import { decodeContents, encodeContents } from './snapshot/contents.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

const MEMBER = '080112026e311a0d31302e302e302e313a323337372200';
const BOOTSTRAP = `0800100018012217${MEMBER}`;
const member = { raftId: 1n, nodeId: 'n1', address: '10.0.0.1:2377' };

describe('bytes on disk and wire', () => {
  it('writes a member as SwarmKit does', () => {
    expect(hex(encodeMember(member))).toBe(MEMBER);
    expect(decodeMember(bytes(MEMBER))).toEqual(member);
  });

  it('writes membership changes', () => {
    const type = ConfChangeType.ConfChangeAddNode;
    expect(hex(encodeChange({ id: 0n, type, raftId: 1n, member }))).toBe(BOOTSTRAP);
    const removal = ConfChangeType.ConfChangeRemoveNode;
    expect(hex(encodeChange({ id: 5n, type: removal, raftId: 1n }))).toBe('0805100118012200');
  });

  it('writes entries, zeros included and empty payloads left out', () => {
    const type = EntryType.EntryConfChange;
    const founding = { index: 1n, term: 1n, type, data: bytes(BOOTSTRAP) };
    expect(hex(encodeEntry(founding))).toBe(`080110011801221f${BOOTSTRAP}`);
    expect(decodeEntry(encodeEntry(founding))).toEqual(founding);
    const data = new Uint8Array(0);
    const empty = { index: 301n, term: 7n, type: EntryType.EntryNormal, data };
    expect(hex(encodeEntry(empty))).toBe('0800100718ad02');
    expect(decodeEntry(bytes('0800100718ad02'))).toEqual(empty);
    expect(decodeEntry(bytes('0800100718ad022200'))).toEqual(empty);
  });

  it('writes snapshots', () => {
    const membership = new Membership();
    membership.apply(bytes(BOOTSTRAP));
    membership.apply(bytes('080010011809'));
    const contents = { membership: membership.snapshot(), store: new Uint8Array(0) };
    const expected = `121b0a17${MEMBER}10091a00`;
    expect(hex(encodeContents(contents))).toBe(expected);
    const decoded = decodeContents(bytes(expected));
    const again = toBinary(ClusterSnapshotSchema, decoded.membership);
    expect(hex(again)).toBe(`0a17${MEMBER}1009`);
    expect(decoded.store).toHaveLength(0);
    expect(() => decodeContents(bytes('0801'))).toThrow('unrecognized snapshot version 1');
    const none = decodeContents(new Uint8Array(0));
    expect(none.membership).toEqual(create(ClusterSnapshotSchema));
  });
});

describe('Membership', () => {
  const add = (raftId: bigint, address: string) =>
    encodeChange({
      id: 1n,
      type: ConfChangeType.ConfChangeAddNode,
      raftId,
      member: { raftId, nodeId: `n${raftId}`, address },
    });
  const remove = (raftId: bigint) =>
    encodeChange({ id: 1n, type: ConfChangeType.ConfChangeRemoveNode, raftId });

  it('takes the same change twice, and a new address', () => {
    const membership = new Membership();
    for (const address of ['a:1', 'a:1', 'b:1']) membership.apply(add(2n ** 62n, address));
    expect(membership.members).toEqual([
      { raftId: 2n ** 62n, nodeId: `n${2n ** 62n}`, address: 'b:1' },
    ]);
    expect(membership.voters).toEqual([2n ** 62n]);
  });

  it('remembers who was removed, also across a snapshot, and registers them no more', () => {
    const membership = new Membership();
    membership.apply(add(1n, 'a:1'));
    membership.apply(add(2n, 'b:1'));
    membership.apply(remove(2n));
    membership.apply(remove(2n));
    const restored = new Membership();
    restored.apply(add(7n, 'gone:1'));
    restored.restore(membership.snapshot(), membership.voters);
    expect(restored.removed).toEqual([2n]);
    expect(restored.members.map(({ raftId }) => raftId)).toEqual([1n]);
    restored.apply(add(2n, 'b:1'));
    expect(restored.member(2n)).toBeUndefined();
    expect(restored.voters).toEqual([1n, 2n]);
  });

  it('lets a change without a readable member still change who votes', () => {
    const membership = new Membership();
    membership.apply(bytes('0800100018032203ffffff'));
    expect(membership.voters).toEqual([3n]);
    expect(membership.members).toEqual([]);
  });
});
