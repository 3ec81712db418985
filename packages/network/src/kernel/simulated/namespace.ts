import { isDeepStrictEqual } from 'node:util';
import { contains, parseAddress, parseInterfaceAddress, subnetOf } from '../../address/ipv4.js';
import type {
  KernelCommand,
  LinkChange,
  LinkView,
  NamespacePath,
  NamespaceView,
  RouteView,
  RoutingRule,
  TunnelEntries,
  VxlanSpec,
} from '../contract.js';
import { SimRefusal } from './refusal.js';
import { SimSecurity } from './security.js';
import { SimTables } from './tables.js';

export interface SimLink {
  name: string;
  kind: string;
  mac: string;
  mtuBytes: number;
  up: boolean;
  master: string;
  isolated: boolean;
  hairpin: boolean;
  /** What its bridge sends to it in any case. */
  macs: Set<string>;
  /** The other end of a veth pair: it goes when this one does. */
  peer?: { namespace: SimNamespace; link: SimLink };
  vxlan?: VxlanSpec & { underlay: NamespacePath };
}

type EntryCommand<Op extends KernelCommand['op']> = Extract<KernelCommand, { op: Op }>;

const NO_COUNTERS: LinkView['counters'] = {
  rxBytes: 0,
  rxPackets: 0,
  rxErrors: 0,
  rxDropped: 0,
  txBytes: 0,
  txPackets: 0,
  txErrors: 0,
  txDropped: 0,
};

const MAIN_TABLE = 254;
const LINK_NAME_MAX = 15;

/** One network namespace in memory, with the checks that the kernel would make. */
export class SimNamespace {
  readonly links = new Map<string, SimLink>();
  readonly addresses: { link: string; address: string }[] = [];
  readonly routes: RouteView[] = [];
  readonly rules: RoutingRule[] = [];
  /** By link and key: `MAC`→ tunnel's end, and `address` → MAC. */
  readonly forwarding = new Map<string, TunnelEntries['forwarding'][number]>();
  readonly neighbours = new Map<string, TunnelEntries['neighbours'][number]>();
  readonly sysctls = new Map<string, string>();
  readonly tables = new SimTables();
  readonly security = new SimSecurity();
  /** Connections to it, for what `inboundConnections` tells. */
  inboundConnections = 0;
  /** Sockets besides those. */
  otherSockets = 0;
  /** Ports listened on, for what `listeningPorts` tells. */
  listeningPorts: number[] = [];

  constructor() {
    this.addLink('lo', '', 65_536);
  }

  addLink(name: string, kind: string, mtuBytes: number, mac = ''): SimLink {
    if (this.links.has(name)) throw new SimRefusal('EEXIST', `link ${name}`);
    if (name.length > LINK_NAME_MAX) throw new SimRefusal('EINVAL', `link name ${name}`);
    const link = { name, kind, mac, mtuBytes, up: false, master: '', isolated: false };
    const made: SimLink = { ...link, hairpin: false, macs: new Set() };
    this.links.set(name, made);
    return made;
  }

  link(name: string): SimLink {
    const link = this.links.get(name);
    if (!link) throw new SimRefusal('ENODEV', `no link ${name}`);
    return link;
  }

  removeLink(name: string): void {
    const link = this.link(name);
    this.links.delete(name);
    for (const other of this.links.values()) if (other.master === name) other.master = '';
    drop(this.addresses, (entry) => entry.link === name);
    drop(this.routes, (entry) => entry.link === name);
    for (const setting of this.sysctls.keys()) {
      if (setting.includes(`.conf.${name}.`)) this.sysctls.delete(setting);
    }
    for (const entries of [this.forwarding, this.neighbours]) {
      for (const [key, entry] of entries) if (entry.link === name) entries.delete(key);
    }
    const { peer } = link;
    if (peer?.namespace.links.get(peer.link.name) === peer?.link) {
      peer?.namespace.removeLink(peer.link.name);
    }
  }

  changeLink(name: string, change: LinkChange): void {
    const link = this.link(name);
    if (change.master !== undefined) {
      if (this.link(change.master).kind !== 'bridge') {
        throw new SimRefusal('EINVAL', `${change.master} is no bridge`);
      }
      link.master = change.master;
    }
    const isPort = change.isolated !== undefined || change.hairpin !== undefined;
    if (isPort && !link.master) throw new SimRefusal('EINVAL', `${name} is no bridge port`);
    link.up = change.up ?? link.up;
    link.mac = change.mac ?? link.mac;
    link.mtuBytes = change.mtuBytes ?? link.mtuBytes;
    link.isolated = change.isolated ?? link.isolated;
    link.hairpin = change.hairpin ?? link.hairpin;
  }

  addEntry(entry: EntryCommand<'fdb-add' | 'neighbour-add'>): void {
    const { link, mac } = entry;
    this.link(link);
    if (entry.op === 'fdb-add') {
      const { tunnelAddress } = entry;
      this.forwarding.set(`${link} ${mac}`, { link, mac, tunnelAddress });
    } else {
      const { address } = entry;
      this.neighbours.set(`${link} ${address}`, { link, address, mac });
    }
  }

  removeEntry(entry: EntryCommand<'fdb-remove' | 'neighbour-remove'>): void {
    this.link(entry.link);
    const gone =
      entry.op === 'fdb-remove'
        ? this.forwarding.delete(`${entry.link} ${entry.mac}`)
        : this.neighbours.delete(`${entry.link} ${entry.address}`);
    if (!gone) throw new SimRefusal('ENOENT', `no entry on ${entry.link}`);
  }

  addPortMac(name: string, mac: string): void {
    const port = this.link(name);
    if (!port.master) throw new SimRefusal('EINVAL', `${name} is no bridge port`);
    for (const other of this.links.values())
      if (other.master === port.master) other.macs.delete(mac);
    port.macs.add(mac);
  }

  removePortMac(name: string, mac: string): void {
    if (!this.link(name).macs.delete(mac)) throw new SimRefusal('ENOENT', `no ${mac} on ${name}`);
  }

  tunnelEntries(): TunnelEntries {
    return structuredClone({
      neighbours: [...this.neighbours.values()],
      forwarding: [...this.forwarding.values()],
    });
  }

  addAddress(name: string, address: string): void {
    this.link(name);
    if (this.addresses.some((entry) => entry.link === name && entry.address === address)) {
      throw new SimRefusal('EEXIST', `address ${address}`);
    }
    if (!parseInterfaceAddress(address)) throw new SimRefusal('EINVAL', `address ${address}`);
    this.addresses.push({ link: name, address });
  }

  removeAddress(name: string, address: string): void {
    const gone = drop(this.addresses, (entry) => entry.link === name && entry.address === address);
    if (gone === 0) throw new SimRefusal('EADDRNOTAVAIL', `no address ${address}`);
  }

  addRoute(route: { destination: string; gateway?: string; link?: string; table?: number }): void {
    const { destination, gateway = '', table = MAIN_TABLE } = route;
    const link = route.link ?? this.#linkTowards(gateway);
    if (!this.link(link).up) throw new SimRefusal('ENETDOWN', `link ${link} is down`);
    if (gateway) this.#linkTowards(gateway);
    if (this.routes.some((other) => other.table === table && other.destination === destination)) {
      throw new SimRefusal('EEXIST', `route ${destination} in table ${table}`);
    }
    this.routes.push({ destination, gateway, link, table });
  }

  removeRoute(route: { destination: string; gateway?: string; table?: number }): void {
    const { destination, gateway = '', table = MAIN_TABLE } = route;
    const matches = (other: RouteView) =>
      other.table === table &&
      other.destination === destination &&
      (!gateway || other.gateway === gateway);
    if (drop(this.routes, matches) === 0) throw new SimRefusal('ENOENT', `route ${destination}`);
  }

  addRule(rule: RoutingRule): void {
    const bare = bareRule(rule);
    if (this.rules.some((other) => isDeepStrictEqual(other, bare))) {
      throw new SimRefusal('EEXIST', `rule ${rule.priority}`);
    }
    this.rules.push(bare);
  }

  removeRule(rule: RoutingRule): void {
    const bare = bareRule(rule);
    const gone = drop(this.rules, (other) => isDeepStrictEqual(other, bare));
    if (gone === 0) throw new SimRefusal('ENOENT', `rule ${rule.priority}`);
  }

  view(): NamespaceView {
    const links = [...this.links.values()].map((link, place) => ({
      name: link.name,
      index: place + 1,
      kind: link.kind,
      mac: link.mac,
      mtuBytes: link.mtuBytes,
      up: link.up,
      master: link.master,
      ...(link.vxlan && { vxlan: bareVxlan(link.vxlan) }),
      counters: NO_COUNTERS,
    }));
    const connected = this.addresses.map(({ link, address }) => {
      const { network, prefixLength } = subnetOf(address);
      const octets = [24, 16, 8, 0].map((shift) => (network >>> shift) & 0xff).join('.');
      return { destination: `${octets}/${prefixLength}`, gateway: '', link, table: MAIN_TABLE };
    });
    return structuredClone({
      links,
      addresses: this.addresses,
      routes: [...connected, ...this.routes],
      rules: this.rules,
    });
  }

  /** The link whose subnet holds a gateway. */
  #linkTowards(gateway: string): string {
    const address = parseAddress(gateway);
    const found = this.addresses.find(
      (entry) => address !== undefined && contains(subnetOf(entry.address), address),
    );
    if (!found) throw new SimRefusal('ENETUNREACH', `gateway ${gateway}`);
    return found.link;
  }
}

/** Without what a command has besides. */
function bareRule(rule: RoutingRule): RoutingRule {
  const { table, priority } = rule;
  return 'mark' in rule
    ? { mark: rule.mark, table, priority }
    : { from: rule.from, table, priority };
}

function bareVxlan({ vni, udpPort, localAddress }: VxlanSpec): VxlanSpec {
  return { vni, udpPort, localAddress };
}

/** Removes in place what matches; how many it was. */
function drop<T>(list: T[], matches: (item: T) => boolean): number {
  const before = list.length;
  list.splice(0, before, ...list.filter((item) => !matches(item)));
  return before - list.length;
}
