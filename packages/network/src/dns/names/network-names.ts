import { type HostAddress, hostAddress } from '../../address/host-address.js';
import { contains, parseAddress, parseInterfaceAddress, type Subnet } from '../../address/ipv4.js';
import type { NetworkEndpoint, NetworkService, OverlayNetwork } from '../../tables/contract.js';
import { MultiMap } from './multi-map.js';

interface ServiceOwner {
  kind: 'service';
  row: NetworkService;
  virtual: HostAddress[];
}

/** Each task of a service, also where the service has a virtual address. */
interface TasksOwner {
  kind: 'tasks';
  row: NetworkService;
}

interface EndpointOwner {
  kind: 'endpoint';
  row: NetworkEndpoint;
  addresses: HostAddress[];
}

/** What a name, or an address, stands for. */
type Owner = ServiceOwner | TasksOwner | EndpointOwner;

/** Both meanings of a service: its name, and the same behind `tasks.` */
interface ServiceOwners {
  service: ServiceOwner;
  tasks: TasksOwner;
}

const SLOT = /^(.+)\.([1-9]\d{0,9})$/;
const REVERSE_IPV4 = /^([\d.]+)\.in-addr\.arpa$/;

/** The names of one network, and whom its addresses belong to. */
export class NetworkNames {
  readonly #names = new MultiMap<Owner>();
  readonly #addresses = new MultiMap<Owner>();
  readonly #services = new Map<string, ServiceOwners>();
  readonly #endpoints = new Map<string, EndpointOwner>();
  readonly #tasks = new MultiMap<EndpointOwner>();
  #subnets: Subnet[] = [];
  #networkName = '';

  setNetwork(network: OverlayNetwork): void {
    this.#networkName = network.name;
    this.#subnets = network.subnets.flatMap(
      ({ subnet }) => parseInterfaceAddress(subnet)?.subnet ?? [],
    );
  }

  /** `row` as it is now; undefined: the service is gone. */
  setService(serviceId: string, row: NetworkService | undefined): void {
    const known = this.#services.get(serviceId);
    if (known) this.#dropService(known);
    if (!row) return;
    const virtual = readAddresses([row.virtualIp]);
    const owners: ServiceOwners = {
      service: { kind: 'service', row, virtual },
      tasks: { kind: 'tasks', row },
    };
    this.#services.set(serviceId, owners);
    this.#eachServiceName(owners, (key, owner) => this.#names.add(key, owner));
    for (const { reverseName } of virtual) this.#addresses.add(reverseName, owners.service);
  }

  /** `row` as it is now; undefined: the endpoint is gone. */
  setEndpoint(id: string, row: NetworkEndpoint | undefined): void {
    const known = this.#endpoints.get(id);
    if (known) this.#dropEndpoint(known);
    if (!row) return;
    const owner: EndpointOwner = { kind: 'endpoint', row, addresses: readAddresses(row.addresses) };
    this.#endpoints.set(id, owner);
    if (row.serviceId) this.#tasks.add(row.serviceId, owner);
    for (const name of [row.name, ...row.aliases]) this.#names.add(name.toLowerCase(), owner);
    for (const { reverseName } of owner.addresses) this.#addresses.add(reverseName, owner);
  }

  /**
   * The addresses behind a name in lower case: none when all that it stands for is not ready.
   * Undefined when the network has no such name. Tasks that are called like their service (a common
   * use of `--hostname`) stay behind its virtual address.
   */
  find(name: string): HostAddress[] | undefined {
    const owners = this.#names.get(name);
    if (!owners) return this.#findSlot(name);
    const found = new Map<string, HostAddress>();
    const services = new Set<string>();
    for (const { kind, row } of owners) if (kind === 'service') services.add(row.serviceId);
    for (const owner of owners) {
      if (owner.kind === 'endpoint' && services.has(owner.row.serviceId)) continue;
      for (const address of this.#addressesOf(owner)) found.set(address.reverseName, address);
    }
    return [...found.values()];
  }

  /** Whose address it is, by the name that addresses are looked up under. */
  findReverse(reverseName: string): string | undefined {
    const [owner] = this.#addresses.get(reverseName) ?? [];
    return owner && `${owner.row.name}.${this.#networkName}`;
  }

  /** Whether an address, by the name that it is looked up under, lies in this network's subnets. */
  hasReverse(reverseName: string): boolean {
    const reversed = REVERSE_IPV4.exec(reverseName)?.[1];
    const address = reversed && parseAddress(reversed.split('.').reverse().join('.'));
    return typeof address === 'number' && this.#subnets.some((subnet) => contains(subnet, address));
  }

  /** `web.2`: what runs in the second place of the service `web` right now. */
  #findSlot(name: string): HostAddress[] | undefined {
    const [, serviceName = '', slot] = SLOT.exec(name) ?? [];
    let found: HostAddress[] | undefined;
    for (const owner of this.#names.get(serviceName) ?? []) {
      if (owner.kind !== 'service') continue;
      found = [...(found ?? []), ...this.#tasksOf(owner, Number(slot))];
    }
    return found;
  }

  #addressesOf(owner: Owner): HostAddress[] {
    if (owner.kind === 'endpoint') return owner.row.ready ? owner.addresses : [];
    if (owner.kind === 'service' && owner.virtual.length > 0) return owner.virtual;
    return this.#tasksOf(owner);
  }

  #tasksOf({ row }: ServiceOwner | TasksOwner, slot?: number): HostAddress[] {
    const addresses: HostAddress[] = [];
    for (const task of this.#tasks.get(row.serviceId) ?? []) {
      if (!task.row.ready || (slot !== undefined && task.row.slot !== slot)) continue;
      addresses.push(...task.addresses);
    }
    return addresses;
  }

  #dropService(owners: ServiceOwners): void {
    const { service } = owners;
    this.#services.delete(service.row.serviceId);
    this.#eachServiceName(owners, (key, owner) => this.#names.remove(key, owner));
    for (const { reverseName } of service.virtual) this.#addresses.remove(reverseName, service);
  }

  #dropEndpoint(owner: EndpointOwner): void {
    const { row, addresses } = owner;
    this.#endpoints.delete(row.id);
    this.#tasks.remove(row.serviceId, owner);
    for (const name of [row.name, ...row.aliases]) this.#names.remove(name.toLowerCase(), owner);
    for (const { reverseName } of addresses) this.#addresses.remove(reverseName, owner);
  }

  #eachServiceName(owners: ServiceOwners, visit: (key: string, owner: Owner) => void): void {
    const { service, tasks } = owners;
    for (const name of [service.row.name, ...service.row.aliases]) {
      visit(name.toLowerCase(), service);
      visit(`tasks.${name.toLowerCase()}`, tasks);
    }
  }
}

function readAddresses(texts: readonly string[]): HostAddress[] {
  return texts.flatMap((text) => hostAddress(text) ?? []);
}
