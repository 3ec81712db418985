import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { until } from './support/exec.ts';

/** A way between nodes that does not carry packets is found by the nodes themselves, and named. */

const NODES = ['mgr1', 'worker1'] as const;
const [MANAGER, WORKER] = NODES;
/** Three answers in a row must be missing, the first asked for within ten seconds. */
const PATIENCE_MS = 60_000;

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.swarm([MANAGER], [WORKER]);
});
afterAll(() => cluster?.cleanUp());

const warnings = (node: string) =>
  cluster.dockerOn(node, 'info', '-f', '{{range .Warnings}}{{println .}}{{end}}');

const nft = (machine: string, rules: string) => cluster.machines.ssh(machine, `nft '${rules}'`);

/** An administrator's rules on a machine, in a table of their own, until `work` is done. */
async function filtered(machine: string, rule: string, work: () => Promise<void>): Promise<void> {
  const hook = '{ type filter hook input priority 0; }';
  await nft(machine, `add table ip admin; add chain ip admin in ${hook}`);
  await nft(machine, `add rule ip admin in ${rule}`);
  try {
    await work();
  } finally {
    await nft(machine, 'delete table ip admin');
  }
}

describe('a way between nodes', () => {
  it('is named on both sides while the VXLAN port is blocked, and no longer', async () => {
    const ids = await Promise.all(NODES.map((name) => cluster.nodeId(name)));
    await filtered(WORKER, 'udp dport 4789 drop', async () => {
      const [onManager, onWorker] = await Promise.all(
        NODES.map((name) =>
          until(
            () => warnings(name),
            (text) => text !== '',
            PATIENCE_MS,
          ),
        ),
      );
      const address = await cluster.machines.address(WORKER);
      expect(onManager).toContain(
        `node ${ids[1]} at ${address} does not answer through its tunnel (VXLAN, UDP port 4789)`,
      );
      expect(onWorker).toContain(`node ${ids[0]} at`);
    });
    await until(
      () => warnings(MANAGER),
      (text) => text === '',
      PATIENCE_MS,
    );
    await until(
      () => warnings(WORKER),
      (text) => text === '',
      PATIENCE_MS,
    );
  });

  it('is named when it passes short packets alone', async () => {
    await filtered(WORKER, 'udp dport 4789 meta length > 1000 drop', async () => {
      const text = await until(
        () => warnings(MANAGER),
        (said) => said !== '',
        PATIENCE_MS,
      );
      expect(text).toMatch(/packets of full size do not reach node \w+ at [\d.]+ \(VXLAN/);
    });
    await until(
      () => warnings(MANAGER),
      (text) => text === '',
      PATIENCE_MS,
    );
  });
});
