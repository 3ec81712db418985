import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_ADDRESS, MeshLab } from './support/mesh-lab.ts';

describe('the routing mesh between three nodes, on the real kernel', () => {
  let lab: MeshLab;
  beforeAll(async () => {
    lab = await MeshLab.start();
    await lab.run('t2', 2, '10.0.0.12');
  });
  afterAll(() => lab?.cleanUp());

  it('answers on every node, and the task sees the client, by TCP and UDP', async () => {
    for (const number of [1, 2, 3]) {
      expect(await lab.ask(lab.client, number)).toBe(`t2 ${CLIENT_ADDRESS}`);
      expect(await lab.ask(lab.client, number, 'udp')).toBe(`t2 ${CLIENT_ADDRESS}`);
    }
  });
});
