import { loadImage } from './docker-engine.ts';
import { until } from './exec.ts';
import { TestMachines } from './machines.ts';
import { PATIENCE_MS, SwarmView } from './swarm-view.ts';

export type Role = 'manager' | 'worker';

/** A node as `docker node ls` shows it; `manager` is `Leader`, `Reachable`, `Unreachable` or empty. */
export interface ListedNode {
  id: string;
  hostname: string;
  status: string;
  availability: string;
  manager: string;
}

const COLUMNS = '{{.ID}}|{{.Hostname}}|{{.Status}}|{{.Availability}}|{{.ManagerStatus}}';

/**
 * A swarm on machines of its own, seen through its manager `manager`: the first machine, until a
 * test asks another. Machines keep the names they were given.
 */
export class TestCluster extends SwarmView {
  /** Machines with the sample image, not in any swarm yet; removed again when something fails. */
  static async machines(...names: string[]): Promise<TestCluster> {
    const machines = new TestMachines();
    try {
      await machines.create(names);
      await loadImage(machines, ...names);
    } catch (error) {
      await machines.cleanUp();
      throw error;
    }
    return new TestCluster(machines, names[0] ?? '');
  }

  /** A swarm: the first of the managers makes it, the others and the workers join one by one. */
  static async swarm(
    managers: readonly string[],
    workers: readonly string[] = [],
  ): Promise<TestCluster> {
    const cluster = await TestCluster.machines(...managers, ...workers);
    try {
      await cluster.init();
      for (const name of managers.slice(1)) await cluster.join(name, 'manager');
      for (const name of workers) await cluster.join(name, 'worker');
    } catch (error) {
      await cluster.cleanUp();
      throw error;
    }
    return cluster;
  }

  cleanUp(): Promise<void> {
    return this.machines.cleanUp();
  }

  /** The same swarm seen through another of its managers. */
  through(manager: string): SwarmView {
    return new SwarmView(this.machines, manager);
  }

  /** Runs docker against the engine of a machine; it must succeed. */
  dockerOn(machine: string, ...args: string[]): Promise<string> {
    return this.machines.docker(machine, ...args);
  }

  /** What a docker command that must fail says on standard error. */
  fails(...args: string[]): Promise<string> {
    return this.machines.dockerFails(this.manager, ...args);
  }

  /** `IP:2377` of a machine. */
  async remote(machine: string): Promise<string> {
    return `${await this.machines.address(machine)}:2377`;
  }

  token(role: Role): Promise<string> {
    return this.docker('swarm', 'join-token', '-q', role);
  }

  /** Makes a swarm on the machine that is asked. */
  async init(...flags: string[]): Promise<string> {
    const address = await this.machines.address(this.manager);
    return await this.docker('swarm', 'init', '--advertise-addr', address, ...flags);
  }

  /** Has a machine join through the manager that is asked; what the client says. */
  async join(machine: string, role: Role, ...flags: string[]): Promise<string> {
    const command = ['swarm', 'join', '--token', await this.token(role), ...flags];
    return await this.dockerOn(machine, ...command, await this.remote(this.manager));
  }

  /** Id of the node that a machine is. */
  nodeId(machine: string): Promise<string> {
    return this.dockerOn(machine, 'info', '-f', '{{.Swarm.NodeID}}');
  }

  /** All nodes, in the order of their hostnames. */
  async nodes(): Promise<ListedNode[]> {
    const lines = (await this.docker('node', 'ls', '--format', COLUMNS)).split('\n');
    return lines.map((line) => {
      const [id = '', hostname = '', status = '', availability = '', manager = ''] =
        line.split('|');
      return { id, hostname, status, availability, manager };
    });
  }

  /** Waits until the list of all nodes passes; managers without a leader are asked again. */
  untilNodes(
    passes: (nodes: ListedNode[]) => boolean,
    timeoutMs = PATIENCE_MS,
  ): Promise<ListedNode[]> {
    return until(() => this.nodes().catch(() => []), passes, timeoutMs);
  }

  /** Waits until one of the managers leads, other than `not`; gives its hostname. */
  async leader(options: { not?: string; timeoutMs?: number } = {}): Promise<string> {
    const leads = ({ hostname, manager }: ListedNode) =>
      manager === 'Leader' && hostname !== options.not;
    const nodes = await this.untilNodes((all) => all.some(leads), options.timeoutMs);
    return nodes.find(leads)?.hostname ?? '';
  }

  /** Hostname of the node of each running task of a service, sorted. */
  async placement(service: string, count: number): Promise<string[]> {
    const tasks = await this.running(service, count);
    const names = new Map((await this.nodes()).map(({ id, hostname }) => [id, hostname]));
    return tasks.map(({ NodeID }) => names.get(NodeID) ?? NodeID).sort();
  }

  /** State of a machine's own membership, as `docker info` has it: `active`, `locked`, … */
  membership(machine: string): Promise<string> {
    return this.dockerOn(machine, 'info', '-f', '{{.Swarm.LocalNodeState}}');
  }

  untilMembership(machine: string, state: string): Promise<string> {
    return until(
      () => this.membership(machine),
      (seen) => seen === state,
      PATIENCE_MS,
    );
  }
}
