import { type HostAddress, hostAddress } from '../../address/host-address.js';
import { contains, parseAddress, parseInterfaceAddress, type Subnet } from '../../address/ipv4.js';
import type { NetworkEndpoint, NetworkService, OverlayNetwork } from '../../tables/contract.js';
import { MultiMap } from './multi-map.js';

/** What a name, or an address, stands for. */
type Owner =
  | { kind: 'service'; row: NetworkService; virtual: HostAddress[] }
  /** Each task of a service, also where the service has a virtual address. */
  | { kind: 'tasks'; row: NetworkService }
  | EndpointOwner;

interface EndpointOwner {
  kind: 'endpoint';
  row: NetworkEndpoint;
  addresses: HostAddress[];
}

/** What a service's name brings, and what stays in its order when one of its tasks changes. */
interface ServiceOwners {
  service: Owner & { kind: 'service' };
  tasks: Owner & { kind: 'tasks' };
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
  /** As the network was named, for answers; and in lower case, for questions. */
  name = '';
  lowerCaseName = '';

  setNetwork(network: OverlayNetwork): void {
    this.name = network.name;
    this.lowerCaseName = network.name.toLowerCase();
    this.#subnets = network.subnets.flatMap(
      ({ subnet }) => parseInterfaceAddress(subnet)?.subnet ?? [],
    );
  }

  setService(serviceId: string, row: NetworkService | undefined): void {
    const known = this.#services.get(serviceId);
    if (known) this.#eachServiceName(known, (key, owner) => this.#names.remove(key, owner));
    for (const { reverseName } of known?.service.virtual ?? []) {
      if (known) this.#addresses.remove(reverseName, known.service);
    }
    this.#services.delete(serviceId);
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
   * Undefined when the network has no such name.
   */
  find(name: string): HostAddress[] | undefined {
    const owners = this.#names.get(name);
    if (!owners) return this.#findSlot(name);
    const found = new Map<string, HostAddress>();
    for (const owner of owners) {
      for (const address of this.#addressesOf(owner)) found.set(address.reverseName, address);
    }
    return [...found.values()];
  }

  /** Whose address it is, by the name that addresses are looked up under. */
  findReverse(reverseName: string): string | undefined {
    const [owner] = this.#addresses.get(reverseName) ?? [];
    return owner && `${owner.row.name}.${this.name}`;
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
    const services = [...(this.#names.get(serviceName) ?? [])].filter(
      ({ kind }) => kind === 'service',
    );
    if (services.length === 0) return undefined;
    return services.flatMap((owner) =>
      this.#tasksOf(owner as Owner & { kind: 'service' }, Number(slot)),
    );
  }

  #addressesOf(owner: Owner): HostAddress[] {
    if (owner.kind === 'endpoint') return owner.row.ready ? owner.addresses : [];
    if (owner.kind === 'service' && owner.virtual.length > 0) return owner.virtual;
    return this.#tasksOf(owner);
  }

  #tasksOf({ row }: Owner & { kind: 'service' | 'tasks' }, slot?: number): HostAddress[] {
    const addresses: HostAddress[] = [];
    for (const task of this.#tasks.get(row.serviceId) ?? []) {
      if (!task.row.ready || (slot !== undefined && task.row.slot !== slot)) continue;
      addresses.push(...task.addresses);
    }
    return addresses;
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
