import { existsSync, writeFileSync } from 'node:fs';
import { renderNft } from '../../rules/nft.js';
import type { KernelCommand, NamespacePath } from '../contract.js';
import { Flag } from '../netlink/codec.js';
import { CONNTRACK_DELETE, encodeConntrackDelete } from '../netlink/conntrack.js';
import * as link from '../netlink/link.js';
import * as neighbour from '../netlink/neighbour.js';
import {
  decodeSet,
  encodeElementChanges,
  encodeSetGet,
  SET_GET,
  type SetTypes,
} from '../netlink/nft-elements.js';
import * as route from '../netlink/route.js';
import * as transform from '../netlink/transform.js';
import type { Handles } from './handles.js';
import { SystemCallError } from './libc.js';
import type { Namespaces } from './namespaces.js';
import type { NetlinkSocket } from './netlink-socket.js';

type Command<Op extends KernelCommand['op']> = Extract<KernelCommand, { op: Op }>;

/** What changes an entry that tells where a MAC or an address is. */
type EntryCommand = Command<
  | 'fdb-add'
  | 'fdb-remove'
  | 'neighbour-add'
  | 'neighbour-remove'
  | 'port-mac-add'
  | 'port-mac-remove'
>;

type TransformCommand = Extract<KernelCommand, { op: `xfrm-${string}` }>;

const NEW = Flag.CREATE | Flag.EXCLUSIVE;
const NEW_OR_OTHER = Flag.CREATE | Flag.REPLACE;

/** Executes single commands on the calling thread. */
export class CommandRunner {
  readonly #namespaces: Namespaces;
  readonly #handles: Handles;
  /** By table and set of a socket's namespace: asking each time is a third of what a change takes. */
  readonly #setTypes = new WeakMap<NetlinkSocket, Map<string, SetTypes | undefined>>();
  /** Indices of links by namespace and name, within one batch: most of its commands are about the same few. */
  readonly #links = new Map<string, number>();

  constructor(options: { namespaces: Namespaces; handles: Handles }) {
    this.#namespaces = options.namespaces;
    this.#handles = options.handles;
  }

  /** Others may change links between two batches. */
  beginBatch(): void {
    this.#links.clear();
  }

  run(command: KernelCommand): void {
    try {
      this.#execute(command);
    } finally {
      if (mayFreeName(command)) this.#links.clear();
    }
  }

  #execute(command: KernelCommand): void {
    switch (command.op) {
      case 'namespace-add':
        this.#namespaces.add(command.path);
        break;
      case 'namespace-remove':
        this.#handles.forget(command.path);
        this.#namespaces.remove(command.path);
        break;
      case 'veth-add':
        this.#addVeth(command);
        break;
      case 'bridge-add':
        this.#request(
          command,
          link.LinkMessage.NEW,
          NEW,
          link.encodeBridge(command.link, command.mac),
        );
        break;
      case 'vxlan-add':
        this.#addVxlan(command);
        break;
      case 'fdb-add':
      case 'fdb-remove':
      case 'neighbour-add':
      case 'neighbour-remove':
      case 'port-mac-add':
      case 'port-mac-remove':
        this.#changeEntry(command);
        break;
      case 'link-remove':
        this.#request(command, link.LinkMessage.DELETE, 0, link.encodeLinkName(command.link));
        break;
      case 'link-change':
        this.#changeLink(command);
        break;
      case 'address-add':
        this.#address(command, route.AddressMessage.NEW, NEW);
        break;
      case 'address-remove':
        this.#address(command, route.AddressMessage.DELETE, 0);
        break;
      case 'route-add':
        this.#route(command, route.RouteMessage.NEW, NEW);
        break;
      case 'route-remove':
        this.#route(command, route.RouteMessage.DELETE, 0);
        break;
      case 'rule-add':
        this.#request(command, route.RuleMessage.NEW, NEW, route.encodeRule(command));
        break;
      case 'rule-remove':
        this.#request(command, route.RuleMessage.DELETE, 0, route.encodeRule(command));
        break;
      case 'xfrm-state-add':
      case 'xfrm-state-remove':
      case 'xfrm-policy-add':
      case 'xfrm-policy-remove':
        this.#transform(command);
        break;
      case 'sysctl':
        this.#sysctl(command);
        break;
      case 'nft':
        this.#changeRules(command);
        break;
      case 'conntrack-remove':
        this.#forgetConnections(command);
        break;
    }
  }

  /** The index of a link. Throws ENODEV when there is none. */
  #indexOf(namespace: NamespacePath, name: string): number {
    const key = `${namespace} ${name}`;
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const socket = this.#handles.route(namespace);
    const body = socket.get(`link ${name}`, link.LinkMessage.GET, link.encodeLinkQuery(name));
    const index = link.decodeLinkIndex(body);
    this.#links.set(key, index);
    return index;
  }

  #request(
    command: { op: string; namespace: NamespacePath; link?: string },
    type: number,
    flags: number,
    body: Buffer,
  ): void {
    const what = [command.op, command.link].filter(Boolean).join(' ');
    this.#handles.route(command.namespace).request(what, type, flags, body);
  }

  #transform(command: TransformCommand): void {
    const what = `${command.op} ${command.source} ${command.destination}`;
    const { type, body } = encodeTransform(command);
    this.#handles.withTransform(command.namespace, (socket) => socket.request(what, type, 0, body));
  }

  #addVeth(command: Command<'veth-add'>): void {
    const { near, far } = command;
    const nearHandles = near.master
      ? { masterIndex: this.#indexOf(near.namespace, near.master) }
      : {};
    const farHandles =
      far.namespace === near.namespace
        ? {}
        : { namespaceFd: this.#namespaces.descriptor(far.namespace) };
    const body = link.encodeVeth(
      command.mtuBytes,
      { end: near, handles: nearHandles },
      { end: far, handles: farHandles },
    );
    this.#request({ ...near, op: command.op }, link.LinkMessage.NEW, NEW, body);
    // A bridge's index means nothing in the far end's namespace, so that end is plugged in from
    // there.
    const { namespace, link: name, master } = far;
    const change = master ? { up: true, master } : { up: true };
    this.#changeLink({ op: 'link-change', namespace, link: name, change });
  }

  #addVxlan(command: Command<'vxlan-add'>): void {
    const { namespace, underlay, link: name, master } = command;
    const fd = namespace === underlay ? undefined : this.#namespaces.descriptor(namespace);
    const body = link.encodeVxlan(name, command, fd);
    this.#request({ ...command, namespace: underlay }, link.LinkMessage.NEW, NEW, body);
    this.#changeLink({ op: 'link-change', namespace, link: name, change: { up: true, master } });
  }

  #changeEntry(command: EntryCommand): void {
    const index = this.#indexOf(command.namespace, command.link);
    const isNew = command.op.endsWith('-add');
    const { NEW: add, DELETE: remove } = neighbour.NeighbourMessage;
    const body = encodeEntry(index, command);
    this.#request(command, isNew ? add : remove, isNew ? NEW_OR_OTHER : 0, body);
  }

  #changeLink(command: Command<'link-change'>): void {
    const { namespace, change } = command;
    const index = this.#indexOf(namespace, command.link);
    const masterIndex = change.master ? this.#indexOf(namespace, change.master) : undefined;
    const body = link.encodeLinkChange(index, change, masterIndex);
    this.#request(command, link.LinkMessage.NEW, 0, body);
    const options = link.encodePortOptions(index, change);
    if (options) this.#request(command, link.LinkMessage.NEW, 0, options);
  }

  #address(
    command: Command<'address-add'> | Command<'address-remove'>,
    type: number,
    flags: number,
  ): void {
    const index = this.#indexOf(command.namespace, command.link);
    this.#request(command, type, flags, route.encodeAddress(index, command.address));
  }

  #route(command: Command<'route-add' | 'route-remove'>, type: number, flags: number): void {
    const link = 'link' in command ? command.link : undefined;
    const body = route.encodeRoute({
      destination: route.parseDestination(command.destination),
      table: command.table ?? route.MAIN_TABLE,
      ...(command.gateway ? { gateway: command.gateway } : {}),
      ...(link ? { linkIndex: this.#indexOf(command.namespace, link) } : {}),
    });
    this.#request(command, type, flags, body);
  }

  /** Under `/proc/sys` a thread sees the values of the namespace it is in. */
  #sysctl(command: Command<'sysctl'>): void {
    const path = sysctlPath(command.name);
    this.#namespaces.within(command.namespace, () => {
      if (existsSync(path)) writeFileSync(path, command.value);
      else if (!command.optional) {
        throw new SystemCallError('ENOENT', `no such sysctl: ${command.name}`);
      }
    });
  }

  /** Elements by netlink: that takes a tenth of what nft needs to read and compare their text. */
  #changeRules({ namespace, changes, op }: Command<'nft'>): void {
    const socket = this.#handles.netfilter(namespace);
    const known = this.#setTypes.get(socket) ?? new Map<string, SetTypes | undefined>();
    // Until all went well: another table may be in place of the one that was asked about.
    this.#setTypes.delete(socket);
    const messages = encodeElementChanges(changes, (table, set) => {
      const name = `${table} ${set}`;
      if (!known.has(name)) {
        known.set(name, decodeSet(socket.get(`set ${name}`, SET_GET, encodeSetGet(table, set))));
      }
      return known.get(name);
    });
    if (!messages) return void this.#handles.nft(namespace).run(renderNft(changes));
    if (messages.length > 0) socket.transact(op, messages);
    this.#setTypes.set(socket, known);
  }

  #forgetConnections(command: Command<'conntrack-remove'>): void {
    this.#handles
      .netfilter(command.namespace)
      .request(command.op, CONNTRACK_DELETE, 0, encodeConntrackDelete(command.match));
  }
}

/** Whether a name may be another link's, or nobody's, after a command. */
function mayFreeName(command: KernelCommand): boolean {
  if (command.op === 'link-change') return command.change.newName !== undefined;
  return command.op === 'link-remove' || command.op === 'namespace-remove';
}

function encodeEntry(linkIndex: number, entry: EntryCommand): Buffer {
  switch (entry.op) {
    case 'fdb-add':
      return neighbour.encodeForwarding(linkIndex, entry.mac, entry.tunnelAddress);
    case 'fdb-remove':
      return neighbour.encodeForwarding(linkIndex, entry.mac);
    case 'neighbour-add':
      return neighbour.encodeNeighbour(linkIndex, entry.address, entry.mac);
    case 'neighbour-remove':
      return neighbour.encodeNeighbour(linkIndex, entry.address);
    case 'port-mac-add':
    case 'port-mac-remove':
      return neighbour.encodePortMac(linkIndex, entry.mac);
  }
}

/**
 * `net.ipv4.conf.eth0.rp_filter` as a path; as with sysctl(8), `/` stands for a dot within a name.
 */
export function sysctlPath(name: string): string {
  const swapped = name.replaceAll(/[./]/g, (mark) => (mark === '.' ? '/' : '.'));
  return `/proc/sys/${swapped}`;
}

function encodeTransform(command: TransformCommand): { type: number; body: Buffer } {
  const Message = transform.TransformMessage;
  switch (command.op) {
    case 'xfrm-state-add':
      return { type: Message.NEW_ASSOCIATION, body: transform.encodeAssociation(command) };
    case 'xfrm-state-remove':
      return { type: Message.DELETE_ASSOCIATION, body: transform.encodeAssociationId(command) };
    case 'xfrm-policy-add':
      return { type: Message.UPDATE_POLICY, body: transform.encodePolicy(command) };
    case 'xfrm-policy-remove':
      return { type: Message.DELETE_POLICY, body: transform.encodePolicyId(command) };
  }
}
