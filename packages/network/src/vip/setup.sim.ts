import { SimClock, silentLogger } from '@skep/platform';
import { balancedBy } from '../balance/tables.sim.js';
import { SimKernel } from '../kernel/simulated/kernel.js';
import type { AttachedNetwork, AttachedSandbox } from '../sandbox/contract.js';
import type { TableUpdate } from '../tables/contract.js';
import { networkOf, nodeOf, updateOf } from '../tables/objects.sim.js';
import { Tables } from '../tables/tables.js';
import { VipBalancer } from './balancer.js';

const NAMES = { hostname: '', servers: [], search: [], options: [] };

export function attachedOf(networkId: string, more: Partial<AttachedNetwork> = {}) {
  const address = '10.0.1.9/24';
  const network = { networkId, networkName: networkId, link: 'eth0', address };
  return { ...network, aliases: [], ingress: false, ...more };
}

/** Container on the network `net`, unless said otherwise. */
export function sandboxOf(containerId: string, networks = [attachedOf('net')]): AttachedSandbox {
  const namespace = `/netns/${containerId}`;
  return { containerId, name: containerId, namespace, networks, names: NAMES };
}

/** A node's virtual IPs over a kernel in memory; what a new daemon finds is what the last one left. */
export class SimVips {
  readonly kernel = new SimKernel();
  readonly clock = new SimClock();
  tables = new Tables();
  balancer = this.#start();
  #version = 0n;

  /** The process ends, and another one starts. */
  restart(): void {
    this.balancer.close();
    this.tables = new Tables();
    this.balancer = this.#start();
  }

  /** A container's namespace, and what serves it. */
  async attach(sandbox: AttachedSandbox): Promise<void> {
    const path = sandbox.namespace;
    if (!this.kernel.namespaces.has(path)) await this.kernel.run([{ op: 'namespace-add', path }]);
    await this.balancer.added(sandbox);
  }

  /** All there is; the network `net` and its nodes among it. */
  complete(more: Partial<TableUpdate> = {}): Promise<void> {
    const networks = [networkOf('net')];
    return this.update({ complete: true, networks, nodes: [nodeOf('n1')], ...more });
  }

  update(more: Partial<TableUpdate>): Promise<void> {
    return this.tables.update(updateOf(++this.#version, more));
  }

  /** Backends by virtual IP, as a container reaches them; undefined: it has no table. */
  balanced(containerId: string): Record<string, string[]> | undefined {
    const table = this.kernel.at(`/netns/${containerId}`).tables.get('skep');
    return table && balancedBy(table);
  }

  #start(): VipBalancer {
    const { kernel, clock } = this;
    const balancer = new VipBalancer({ kernel, clock, logger: silentLogger, table: 'skep' });
    this.tables.addReader(balancer);
    return balancer;
  }
}
