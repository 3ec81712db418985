import { create } from '@bufbuild/protobuf';
import { LOG_DRIVERS } from '@skep/containers';
import { type HostAccess, hostAccessMarks } from '@skep/wire';
import {
  type GenericResource,
  type NodeDescription,
  NodeDescriptionSchema,
} from '@skep/wire/swarmkit';

/** What a node is and has, as its daemon knows it. */
export interface NodeFacts {
  hostname: string;
  /** As `uname -m` says it: `x86_64`, `aarch64`, … */
  architecture: string;
  cpuCount: number;
  memoryBytes: number;
  engineVersion: string;
  /** Of the engine, from `--label`. */
  labels: Record<string, string>;
  /** From `--node-generic-resource`. */
  genericResources: GenericResource[];
  /** What services may ask of this node by their labels. */
  hostAccess: HostAccess;
}

const NANOS_PER_CPU = 1_000_000_000n;

/** What the scheduler may count on, by kind. A manager that is a dockerd insists on Network/overlay. */
const PLUGINS: Record<string, readonly string[]> = {
  Log: LOG_DRIVERS,
  Network: ['bridge', 'host', 'null', 'overlay'],
};

/** In the order of types and names, as managers compare them. */
function plugins(access: HostAccess, volumeDrivers: readonly string[]) {
  const kinds = Object.entries({ ...PLUGINS, Volume: volumeDrivers });
  const fixed = kinds.flatMap(([type, names]) => names.map((name) => ({ type, name })));
  return [...fixed, ...hostAccessMarks(access)].sort(byTypeAndName);
}

function byTypeAndName(a: { type: string; name: string }, b: { type: string; name: string }) {
  if (a.type !== b.type) return a.type < b.type ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

/** `volumeDrivers`: those that answer now. */
export function describeNode(
  facts: NodeFacts,
  volumeDrivers: readonly string[] = [],
): NodeDescription {
  return create(NodeDescriptionSchema, {
    hostname: facts.hostname,
    platform: { architecture: facts.architecture, os: 'linux' },
    resources: {
      nanoCpus: BigInt(facts.cpuCount) * NANOS_PER_CPU,
      memoryBytes: BigInt(facts.memoryBytes),
      generic: facts.genericResources,
    },
    engine: {
      engineVersion: facts.engineVersion,
      labels: facts.labels,
      plugins: plugins(facts.hostAccess, volumeDrivers),
    },
  });
}
