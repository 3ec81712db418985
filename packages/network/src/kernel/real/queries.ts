import { readFileSync } from 'node:fs';
import type {
  BaseChainView,
  NamespacePath,
  NamespaceView,
  SecurityView,
  TableFamily,
  TunnelEntries,
} from '../contract.js';
import * as link from '../netlink/link.js';
import * as listeners from '../netlink/listeners.js';
import * as neighbour from '../netlink/neighbour.js';
import { ELEMENT_GET, SET_GET } from '../netlink/nft-elements.js';
import * as listing from '../netlink/nft-listing.js';
import * as nftables from '../netlink/nftables.js';
import * as route from '../netlink/route.js';
import * as transform from '../netlink/transform.js';
import { sysctlPath } from './commands.js';
import type { Handles } from './handles.js';
import { SystemCallError } from './libc.js';
import type { Namespaces } from './namespaces.js';
import { parseBaseChains, parseRuleCounts, parseTableElements } from './nft-json.js';

/** Reads the kernel's state on the calling thread. */
export class QueryRunner {
  readonly #namespaces: Namespaces;
  readonly #handles: Handles;

  constructor(options: { namespaces: Namespaces; handles: Handles }) {
    this.#namespaces = options.namespaces;
    this.#handles = options.handles;
  }

  inspect(namespace: NamespacePath): NamespaceView {
    const socket = this.#handles.route(namespace);
    const decoded = socket
      .dump('links', link.LinkMessage.GET, link.encodeLinkDump())
      .map(link.decodeLink);
    const names = new Map(decoded.map(({ index, name }) => [index, name]));
    const nameOf = (index: number) => names.get(index) ?? '';
    return {
      links: decoded.map(({ masterIndex, ...view }) => ({ ...view, master: nameOf(masterIndex) })),
      addresses: socket
        .dump('addresses', route.AddressMessage.GET, route.encodeAddressDump())
        .map(route.decodeAddress)
        .map(({ linkIndex, address }) => ({ link: nameOf(linkIndex), address })),
      routes: socket
        .dump('routes', route.RouteMessage.GET, route.encodeRouteDump())
        .map(route.decodeRoute)
        .filter(({ unicast }) => unicast)
        .map(({ destination, gateway, linkIndex, table }) => ({
          destination,
          gateway,
          link: nameOf(linkIndex),
          table,
        })),
      rules: socket
        .dump('rules', route.RuleMessage.GET, route.encodeRuleDump())
        .flatMap((body) => route.decodeRule(body) ?? []),
    };
  }

  tunnelEntries(namespace: NamespacePath): TunnelEntries {
    const socket = this.#handles.route(namespace);
    const names = new Map(
      socket
        .dump('links', link.LinkMessage.GET, link.encodeLinkDump())
        .map(link.decodeLink)
        .map(({ index, name }) => [index, name]),
    );
    const nameOf = (index: number) => names.get(index) ?? '';
    const dump = (body: Buffer) => socket.dump('neighbours', neighbour.NeighbourMessage.GET, body);
    return {
      neighbours: dump(neighbour.encodeNeighbourDump()).flatMap((body) =>
        neighbour.decodeNeighbour(body, nameOf),
      ),
      forwarding: dump(neighbour.encodeForwardingDump()).flatMap((body) =>
        neighbour.decodeForwarding(body, nameOf),
      ),
    };
  }

  tableElements(
    namespace: NamespacePath,
    table: string,
  ): Map<string, Map<string, string>> | undefined {
    return unlessMissing(
      () =>
        this.#listElements(namespace, table) ??
        parseTableElements(this.#handles.nft(namespace).list(`list table ip ${table}`)),
    );
  }

  /**
   * By netlink: that takes a sixth of what nft's JSON does, which thousands of services are listed
   * by for each container when the daemon has started again. Undefined where only nft knows the types.
   */
  #listElements(
    namespace: NamespacePath,
    table: string,
  ): Map<string, Map<string, string>> | undefined {
    const socket = this.#handles.netfilter(namespace);
    const sets = socket.dump(`sets of ${table}`, SET_GET, listing.encodeSetDump(table));
    const found = new Map<string, Map<string, string>>();
    for (const { name, types } of sets.flatMap(listing.decodeListedSet)) {
      if (!types) return undefined;
      const request = listing.encodeElementDump(table, name);
      const elements = listing.decodeElements(socket.dump(name, ELEMENT_GET, request), types);
      if (!elements) return undefined;
      found.set(name, elements);
    }
    return found;
  }

  ruleCounts(
    namespace: NamespacePath,
    table: string,
    family: TableFamily,
  ): Map<string, number> | undefined {
    const list = `list table ${family} ${table}`;
    return unlessMissing(() => parseRuleCounts(this.#handles.nft(namespace).list(list, 'terse')));
  }

  baseChains(namespace: NamespacePath): BaseChainView[] {
    return parseBaseChains(this.#handles.nft(namespace).list('list chains'));
  }

  rulesGeneration(namespace: NamespacePath): number {
    const body = this.#handles
      .netfilter(namespace)
      .get('generation of rules', nftables.GENERATION_GET, nftables.encodeGenerationGet());
    return nftables.decodeGeneration(body);
  }

  security(namespace: NamespacePath): SecurityView {
    const { GET_ASSOCIATION, GET_POLICY } = transform.TransformMessage;
    return this.#handles.withTransform(namespace, (socket) => {
      const dump = (what: string, type: number) => socket.dump(what, type, Buffer.alloc(0));
      return {
        associations: dump('associations', GET_ASSOCIATION).flatMap(
          (body) => transform.decodeAssociation(body) ?? [],
        ),
        policies: dump('policies', GET_POLICY).flatMap(
          (body) => transform.decodePolicy(body) ?? [],
        ),
      };
    });
  }

  listeningPorts(namespace: NamespacePath): number[] {
    const { IPV4, IPV6 } = listeners.AddressFamily;
    return this.#handles.withDiagnosis(namespace, (socket) => {
      const dump = (family: typeof IPV4 | typeof IPV6) =>
        socket
          .dump('listeners', listeners.LISTENERS_GET, listeners.encodeListenersDump(family))
          .flatMap((body) => listeners.decodeListener(body) ?? []);
      return [...dump(IPV4), ...(unlessMissing(() => dump(IPV6)) ?? [])];
    });
  }

  readSysctl(namespace: NamespacePath, name: string): string | undefined {
    return this.#namespaces.within(namespace, () => {
      try {
        return readFileSync(sysctlPath(name), 'utf8').trim();
      } catch {
        return undefined; // this kernel does not have it
      }
    });
  }
}

/** What a listing says; undefined where there is nothing to list. */
function unlessMissing<T>(list: () => T): T | undefined {
  try {
    return list();
  } catch (error) {
    if (error instanceof SystemCallError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
