import { ruleCount } from '../../rules/nft.js';
import {
  type BaseChainView,
  type ConntrackMatch,
  HOST,
  type KernelCommand,
  KernelError,
  type NamespacePath,
  type NamespaceView,
  type NetKernel,
  type RunOptions,
  type SecurityView,
  type TunnelEntries,
} from '../contract.js';
import { SimNamespace } from './namespace.js';
import { SimRefusal } from './refusal.js';

const GONE = new Set(['ENOENT', 'ENODEV', 'ESRCH', 'EADDRNOTAVAIL']);

/** Commands that act within one namespace that exists. */
type WithinNamespace = Exclude<
  KernelCommand,
  { op: 'namespace-add' | 'namespace-remove' | 'veth-add' | 'vxlan-add' }
>;

/** A kernel's networking in memory: refuses what the real one would, moves no packets. */
export class SimKernel implements NetKernel {
  readonly namespaces = new Map<NamespacePath, SimNamespace>([[HOST, new SimNamespace()]]);
  /** Every conntrack entry's removal that was asked for. */
  readonly forgotten: { namespace: NamespacePath; match: ConntrackMatch }[] = [];
  /** Chains of other programs, for what `baseChains` tells. */
  readonly foreignChains: BaseChainView[] = [];
  /** Batches run so far: round trips. */
  batches = 0;
  /** Throws for the command it wants refused. */
  refuse: ((command: KernelCommand) => void) | undefined;

  get host(): SimNamespace {
    return this.at(HOST);
  }

  at(path: NamespacePath): SimNamespace {
    const namespace = this.namespaces.get(path);
    if (!namespace) throw new SimRefusal('ENOENT', `no namespace ${path}`);
    return namespace;
  }

  async run(commands: readonly KernelCommand[], options: RunOptions = {}): Promise<void> {
    if (commands.length > 0) this.batches++;
    let first: KernelError | undefined;
    for (const [index, command] of commands.entries()) {
      try {
        this.refuse?.(command);
        this.#apply(command);
      } catch (error) {
        if (!(error instanceof SimRefusal)) throw error;
        const refusal = new KernelError(error.code, `${command.op}: ${error.message}`, index);
        if (options.onRefusal !== 'continue') throw refusal;
        if (!GONE.has(error.code)) first ??= refusal;
      }
    }
    if (first) throw first;
  }

  async inspect(namespace: NamespacePath): Promise<NamespaceView> {
    return this.at(namespace).view();
  }

  async tableElements(
    namespace: NamespacePath,
    table: string,
  ): Promise<Map<string, Map<string, string>> | undefined> {
    const found = this.at(namespace).tables.get(table);
    return found && new Map([...found.sets].map(([name, set]) => [name, new Map(set.elements)]));
  }

  async ruleCounts(
    namespace: NamespacePath,
    table: string,
  ): Promise<Map<string, number> | undefined> {
    const found = this.at(namespace).tables.get(table);
    return found && new Map([...found.chains].map(([name, lines]) => [name, ruleCount(lines)]));
  }

  async tunnelEntries(namespace: NamespacePath): Promise<TunnelEntries> {
    return this.at(namespace).tunnelEntries();
  }

  async listNamespaces(directory: string): Promise<NamespacePath[]> {
    return [...this.namespaces.keys()].filter((path) => path.startsWith(`${directory}/`));
  }

  async baseChains(): Promise<BaseChainView[]> {
    return [...this.foreignChains];
  }

  async rulesGeneration(namespace: NamespacePath): Promise<number> {
    return this.at(namespace).tables.generation;
  }

  async inboundConnections(namespace: NamespacePath): Promise<number> {
    return this.at(namespace).inboundConnections;
  }

  async tcpSockets(namespace: NamespacePath): Promise<number> {
    const { inboundConnections, otherSockets } = this.at(namespace);
    return inboundConnections + otherSockets;
  }

  async listeningPorts(namespace: NamespacePath): Promise<number[]> {
    return [...this.at(namespace).listeningPorts];
  }

  async security(namespace: NamespacePath): Promise<SecurityView> {
    return this.at(namespace).security.view();
  }

  async readSysctl(namespace: NamespacePath, name: string): Promise<string | undefined> {
    return this.at(namespace).sysctls.get(name);
  }

  async close(): Promise<void> {}

  #apply(command: KernelCommand): void {
    if (command.op === 'namespace-add') this.#addNamespace(command.path);
    else if (command.op === 'namespace-remove') this.#removeNamespace(command.path);
    else if (command.op === 'veth-add') this.#addVeth(command);
    else if (command.op === 'vxlan-add') this.#addVxlan(command);
    else this.#applyWithin(command, this.at(command.namespace));
  }

  #applyWithin(command: WithinNamespace, namespace: SimNamespace): void {
    switch (command.op) {
      case 'bridge-add':
        namespace.addLink(command.link, 'bridge', 1_500, command.mac);
        break;
      case 'fdb-add':
      case 'neighbour-add':
        namespace.addEntry(command);
        break;
      case 'fdb-remove':
      case 'neighbour-remove':
        namespace.removeEntry(command);
        break;
      case 'port-mac-add':
        namespace.addPortMac(command.link, command.mac);
        break;
      case 'port-mac-remove':
        namespace.removePortMac(command.link, command.mac);
        break;
      case 'link-remove':
        namespace.removeLink(command.link);
        break;
      case 'link-change':
        namespace.changeLink(command.link, command.change);
        break;
      case 'address-add':
        namespace.addAddress(command.link, command.address);
        break;
      case 'address-remove':
        namespace.removeAddress(command.link, command.address);
        break;
      case 'route-add':
        namespace.addRoute(command);
        break;
      case 'route-remove':
        namespace.removeRoute(command);
        break;
      case 'rule-add':
        namespace.addRule(command);
        break;
      case 'rule-remove':
        namespace.removeRule(command);
        break;
      case 'xfrm-state-add':
        namespace.security.addAssociation(command);
        break;
      case 'xfrm-state-remove':
        namespace.security.removeAssociation(command);
        break;
      case 'xfrm-policy-add':
        namespace.security.addPolicy(command);
        break;
      case 'xfrm-policy-remove':
        namespace.security.removePolicy(command);
        break;
      case 'sysctl':
        namespace.sysctls.set(command.name, command.value);
        break;
      case 'nft':
        namespace.tables.apply(command.changes);
        break;
      case 'conntrack-remove':
        this.forgotten.push({ namespace: command.namespace, match: command.match });
        break;
    }
  }

  #addNamespace(path: string): void {
    if (this.namespaces.has(path)) throw new SimRefusal('EEXIST', `namespace ${path}`);
    this.namespaces.set(path, new SimNamespace());
  }

  /** Takes the far ends of its links with it; nothing happens when there is none. */
  #removeNamespace(path: string): void {
    const namespace = this.namespaces.get(path);
    this.namespaces.delete(path);
    for (const name of [...(namespace?.links.keys() ?? [])]) {
      if (namespace?.links.has(name)) namespace.removeLink(name);
    }
  }

  #addVeth(command: Extract<KernelCommand, { op: 'veth-add' }>): void {
    const { near, far, mtuBytes } = command;
    const nearNamespace = this.at(near.namespace);
    const farNamespace = this.at(far.namespace);
    const nearLink = nearNamespace.addLink(near.link, 'veth', mtuBytes, near.mac);
    const farLink = farNamespace.addLink(far.link, 'veth', mtuBytes, far.mac);
    nearLink.peer = { namespace: farNamespace, link: farLink };
    farLink.peer = { namespace: nearNamespace, link: nearLink };
    for (const { namespace, link, master } of [near, far]) {
      this.at(namespace).changeLink(link, master ? { up: true, master } : { up: true });
    }
  }

  /** One tunnel of an identifier and port in an underlay, whatever namespaces their links are in. */
  #addVxlan(command: Extract<KernelCommand, { op: 'vxlan-add' }>): void {
    const { namespace, underlay, link, master, mtuBytes } = command;
    const { vni, udpPort, localAddress } = command;
    this.at(underlay);
    for (const other of this.namespaces.values()) {
      for (const { vxlan } of other.links.values()) {
        const taken = vxlan?.underlay === underlay && vxlan.udpPort === udpPort;
        if (taken && vxlan.vni === vni) throw new SimRefusal('EEXIST', `VXLAN ${vni}`);
      }
    }
    const made = this.at(namespace).addLink(link, 'vxlan', mtuBytes);
    made.vxlan = { vni, udpPort, localAddress, underlay };
    this.at(namespace).changeLink(link, { up: true, master });
  }
}
