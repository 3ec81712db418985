import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SWITCH_ADDRESS as CLIENT_ADDRESS, hostAddress } from './support/host-switch.ts';
import { MeshLab } from './support/mesh-lab.ts';

const NODES = [1, 2, 3];
const ADDRESSES: Record<string, string> = { t1: '10.0.0.11', t2: '10.0.0.12', t3: '10.0.0.13' };

vi.setConfig({ testTimeout: 60_000 });

describe('the routing mesh between three nodes, on the real kernel', () => {
  let lab: MeshLab;
  beforeAll(async () => {
    lab = await MeshLab.start();
  });
  afterAll(() => lab?.cleanUp());

  const start = (id: string, number: number) => lab.runTask(id, number, ADDRESSES[id] ?? '');

  /** Who answers on each of the nodes, in so many rounds. */
  const answerers = async (rounds: number) => {
    const names = new Set<string>();
    for (let round = 0; round < rounds; round++) {
      for (const number of NODES) {
        const [name = ''] = (await lab.ask(lab.client, number)).split(' ');
        names.add(name);
      }
    }
    return [...names].sort();
  };

  describe('with its only task on the second node', () => {
    let inside: string;
    beforeAll(async () => {
      inside = await start('t2', 2);
    });
    afterAll(() => lab.end('t2', 2));

    it('answers on every node, and the task sees the client, by TCP and UDP', async () => {
      for (const number of NODES) {
        expect(await lab.ask(lab.client, number)).toBe(`t2 ${CLIENT_ADDRESS}`);
        expect(await lab.ask(lab.client, number, 'udp')).toBe(`t2 ${CLIENT_ADDRESS}`);
      }
    });

    it('answers the nodes themselves, on loopback and on their own address', async () => {
      for (const number of NODES) {
        expect(await lab.askLoopback(number)).toMatch(/^t2 /);
        expect(await lab.askLoopback(number, 'udp')).toMatch(/^t2 /);
        const seen = await lab.ask(lab.host(number), number);
        expect(seen).toBe(`t2 ${hostAddress(number)}`);
      }
    });

    it('answers containers of any node through any node, and the task itself', async () => {
      for (const number of NODES) {
        const visitor = await lab.runPlain(`visitor${number}`, number);
        for (const asked of NODES) {
          expect(await lab.ask(visitor, asked)).toMatch(/^t2 /);
          expect(await lab.ask(visitor, asked, 'udp')).toMatch(/^t2 /);
        }
        await lab.end(`visitor${number}`, number);
      }
      for (const asked of NODES) expect(await lab.ask(inside, asked)).toMatch(/^t2 /);
    });

    it('keeps connections through a restart of the daemons', async () => {
      const flows = NODES.map((number) => lab.open(number));
      for (const flow of flows) await flow.hears();
      for (const number of NODES) {
        await lab.restart(number);
        // The kernel's tables are as they were left, and nothing had to be changed.
        expect(lab.network(number).meshCounters).toEqual({ comparisons: 1, differences: 0 });
      }
      for (const flow of flows) expect(await flow.say('still here')).toBe('still here');
      expect(await lab.ask(lab.client, 1)).toBe(`t2 ${CLIENT_ADDRESS}`);
    });
  });

  describe('with tasks on several nodes', () => {
    beforeAll(async () => {
      await start('t1', 1);
      await start('t2', 2);
    });

    it('brings clients to all of them', async () => {
      expect(await answerers(8)).toEqual(['t1', 't2']);
    });

    it('answers the tasks of the very service', async () => {
      const inside = await start('t3', 1);
      for (let round = 0; round < 6; round++) expect(await lab.ask(inside, 1)).toMatch(/^t[123] /);
      await lab.end('t3', 1);
    });

    it('keeps a client with one task, whichever node it asks', async () => {
      await lab.stick(true);
      const [first, ...others] = await answerers(8);
      expect(others).toEqual([]);
      await start('t3', 3);
      await lab.change(first ?? '', { ready: false });
      expect(await answerers(4)).toHaveLength(1);
      await lab.change(first ?? '', { ready: true });
      await lab.end('t3', 3);
      expect(await answerers(4)).toEqual([first]);
      await lab.stick(false);
    });

    it('lets connections to a draining task go on, and brings it no new ones', async () => {
      const { flow, id } = await flowTo(2);
      await lab.change(id, { ready: false });
      expect(await flow.say('going on')).toBe('going on');
      expect(await answerers(6)).not.toContain(id);
      await lab.change(id, { ready: true });
    });

    it('resets connections to a task that is gone, and moves datagrams to another', async () => {
      const { flow } = await flowTo(3, 't2');
      const datagrams = await flowTo(3, 't2', 'udp');
      await lab.end('t2', 2);
      expect(await flow.say('anybody?')).toBe('ECONNRESET');
      expect(await datagrams.flow.say('anybody?')).toMatch(/^t1 /);
      await start('t2', 2);
    });

    it('refuses at once when no task is ready', async () => {
      for (const id of ['t1', 't2']) await lab.change(id, { ready: false });
      for (const number of NODES) {
        expect(await lab.ask(lab.client, number)).toBe('ECONNREFUSED');
        expect(await lab.askLoopback(number)).toBe('ECONNREFUSED');
      }
      await lab.end('t1', 1);
      await lab.end('t2', 2);
      expect(await lab.ask(lab.client, 1)).toBe('ECONNREFUSED');
    });
  });

  describe('with a node that knows nothing of ways back, as a Docker Engine', () => {
    let inside: string;
    beforeAll(async () => {
      await lab.estrange(3);
      inside = await start('t2', 2);
    });
    afterAll(async () => {
      await lab.estrange(undefined);
      await lab.end('t2', 2);
    });

    it('serves the clients that it brings to the published port of a task', async () => {
      for (const protocol of ['tcp', 'udp']) {
        expect(await lab.askTask(3, 't2', protocol)).toBe('t2 10.0.0.4');
      }
      expect(await lab.ask(lab.client, 1)).toBe(`t2 ${CLIENT_ADDRESS}`);
      expect(await lab.ask(inside, 1)).toMatch(/^t2 /);
    });

    it('brings clients to its tasks under the address of the node that was asked', async () => {
      await start('t3', 3);
      await lab.change('t2', { ready: false });
      for (const protocol of ['tcp', 'udp']) {
        expect(await lab.ask(lab.client, 1, protocol)).toBe('t3 10.0.0.2');
        expect(await lab.ask(lab.client, 2, protocol)).toBe('t3 10.0.0.3');
      }
      await lab.end('t3', 3);
    });
  });

  /** Opens flows to a node until one meets the task that is asked for, or any. */
  async function flowTo(number: number, id?: string, protocol = 'tcp') {
    for (let attempt = 0; attempt < 40; attempt++) {
      const flow = lab.open(number, protocol);
      const line = protocol === 'udp' ? await flow.say('?') : await flow.hears();
      const [name = ''] = line.split(' ');
      if (!id || name === id) return { flow, id: name };
    }
    throw new Error(`no flow to ${id}`);
  }
});
