import { create } from '@bufbuild/protobuf';
import { SimRandom } from '@skep/platform';
import {
  NetworkEvent_Type,
  NetworkEventSchema,
  TableEvent_Type,
  TableEventSchema,
} from '@skep/wire/networkdb';
import { beforeEach, describe, expect, it } from 'vitest';
import { Outbox } from '../outbox.js';
import { Timers } from '../timers.js';
import { Events } from './events.js';
import { DatabaseState } from './state.js';
import { Writes } from './writes.js';

let state: DatabaseState;
let events: Events;

beforeEach(() => {
  const parts = { random: new SimRandom(1), timers: new Timers(0), outbox: new Outbox() };
  state = new DatabaseState({ self: 'me', ...parts, eventBytesMax: 1_000, isAlive: () => true });
  const writes = new Writes(state);
  events = new Events(state, writes);
  writes.joinNetwork('net');
  const address = { ip: '10.0.0.1', port: 7946 };
  const head = { name: 'a', address, versions: new Uint8Array(), lamportTime: 0n };
  state.peers.add({ ...head, state: 'active', changedMs: 0 });
});

function network(type: NetworkEvent_Type, lTime: bigint): boolean {
  const fields = { type, lTime, nodeName: 'a', networkId: 'net' };
  return events.network(create(NetworkEventSchema, fields));
}

function write(lTime: bigint, isSync = false, type = TableEvent_Type.CREATE): void {
  const fields = { type, lTime, nodeName: 'a', networkId: 'net', tableName: 't', key: 'k' };
  const value = Buffer.from(`${lTime}`);
  events.table(create(TableEventSchema, { ...fields, value }), new Uint8Array(), isSync);
}

function shown(): string | undefined {
  const value = state.shown('net', state.networks.get('net')?.entries.get('t', 'k'));
  return value && Buffer.from(value).toString();
}

describe('events of another node', () => {
  it('count only while it takes part in the network', () => {
    write(5n);
    expect(shown()).toBeUndefined();
    network(NetworkEvent_Type.JOIN, 1n);
    write(5n);
    expect(shown()).toBe('5');
    expect(network(NetworkEvent_Type.JOIN, 1n)).toBe(false);
    expect(network(NetworkEvent_Type.LEAVE, 1n)).toBe(false);
    expect(shown()).toBe('5');
  });

  it('are taken again when word that it left came after what it wrote when it was back', () => {
    network(NetworkEvent_Type.JOIN, 1n);
    write(5n);
    network(NetworkEvent_Type.LEAVE, 2n);
    expect(shown()).toBeUndefined();
    network(NetworkEvent_Type.JOIN, 3n);
    write(5n, true);
    expect(shown()).toBe('5');
  });

  it('are in their order, whatever order they come in', () => {
    network(NetworkEvent_Type.JOIN, 1n);
    write(7n);
    write(6n);
    expect(shown()).toBe('7');
    write(8n, false, TableEvent_Type.DELETE);
    write(7n, true);
    expect(shown()).toBeUndefined();
  });

  it('are refused with a time that nobody can have counted to', () => {
    expect(network(NetworkEvent_Type.JOIN, 2n ** 63n)).toBe(false);
    network(NetworkEvent_Type.JOIN, 1n);
    write(2n ** 63n);
    expect(shown()).toBeUndefined();
    expect(state.nodeClock.time).toBeLessThan(100n);
  });
});
