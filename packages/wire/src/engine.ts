import { create } from '@bufbuild/protobuf';
import {
  EngineDescriptionSchema,
  type NodeDescription,
  type PluginDescription,
  PluginDescriptionSchema,
} from './swarmkit.js';

/**
 * Listed by our agents as a plugin, which no other engine has: managers need to know how soon a node
 * is back that lost its manager.
 */
export const OWN_AGENT = { type: 'Agent', name: 'skep' } as const;

/** Type of the plugin whose name says where a node's overlay packets go: `ADDRESS [KEY PORT | ipsec]`. */
const DATA_PATH_TYPE = 'DataPath';
/** In place of a key: the node has no WireGuard, but a kernel that does what Docker Engines do. */
const BY_IPSEC = 'ipsec';
/** In place of an address: where the node's calls come from. */
const SEEN_ADDRESS = '-';

const WIREGUARD_KEY_BYTES = 32;
const PORT_MAX = 65_535;

/** The receiving end of a node's encrypted tunnels. */
export interface WireguardEnd {
  /** Public, 32 bytes. */
  key: Uint8Array;
  /** UDP, 1 … 65535. */
  port: number;
}

/** Where other nodes send a node's overlay packets. */
export interface DataPath {
  /** An IP without prefix length; empty: where the node's calls to managers come from. */
  address: string;
  wireguard?: WireguardEnd | undefined;
  /** Without WireGuard: its kernel can encrypt by IPsec. */
  ipsec?: boolean;
}

/** A description that says that it is given by an agent of ours, and where its packets go. */
export function markOwnAgent(description: NodeDescription, dataPath?: DataPath): NodeDescription {
  const engine = description.engine ?? create(EngineDescriptionSchema);
  // In the order of types, as all plugins are.
  const marks = [OWN_AGENT, ...(dataPath ? [encodeDataPath(dataPath)] : [])].map((mark) =>
    create(PluginDescriptionSchema, mark),
  );
  return { ...description, engine: { ...engine, plugins: [...marks, ...engine.plugins] } };
}

/** Whether a node's agent is ours; false for a node that has not described itself yet. */
export function hasOwnAgent(description: NodeDescription | undefined): boolean {
  return description?.engine?.plugins.some(isAgentMark) ?? false;
}

/** Where a node's packets go; undefined when it does not say so in a way that can be understood. */
export function dataPathOf(description: NodeDescription | undefined): DataPath | undefined {
  const plugin = description?.engine?.plugins.find(({ type }) => type === DATA_PATH_TYPE);
  const [text, key, port, ...rest] = plugin?.name.split(' ') ?? [];
  if (!text || rest.length > 0) return undefined;
  const address = text === SEEN_ADDRESS ? '' : text;
  if (key === undefined) return { address };
  if (key === BY_IPSEC && port === undefined) return { address, ipsec: true };
  const wireguard = decodeWireguard(key, port ?? '');
  return wireguard && { address, wireguard };
}

/** Whether a node can take part in encrypted networks. Docker Engines do not say, and are taken to. */
export function canEncrypt(description: NodeDescription | undefined): boolean {
  if (!hasOwnAgent(description)) return true;
  const dataPath = dataPathOf(description);
  return dataPath?.wireguard !== undefined || dataPath?.ipsec === true;
}

/** Whether a plugin is a mark of our agents and nothing that a user could ask for. */
export function isMark(plugin: Pick<PluginDescription, 'type' | 'name'>): boolean {
  return isAgentMark(plugin) || plugin.type === DATA_PATH_TYPE;
}

function isAgentMark({ type, name }: Pick<PluginDescription, 'type' | 'name'>): boolean {
  return type === OWN_AGENT.type && name === OWN_AGENT.name;
}

function encodeDataPath(dataPath: DataPath): { type: string; name: string } {
  const { address, ipsec, wireguard } = dataPath;
  const byIpsec = ipsec ? [BY_IPSEC] : [];
  const end = wireguard
    ? [Buffer.from(wireguard.key).toString('base64'), String(wireguard.port)]
    : byIpsec;
  return { type: DATA_PATH_TYPE, name: [address || SEEN_ADDRESS, ...end].join(' ') };
}

function decodeWireguard(keyText: string, portText: string): WireguardEnd | undefined {
  const key = new Uint8Array(Buffer.from(keyText, 'base64'));
  const port = Number(portText);
  const isPort = Number.isInteger(port) && port >= 1 && port <= PORT_MAX;
  return key.length === WIREGUARD_KEY_BYTES && isPort ? { key, port } : undefined;
}
