import { create } from '@bufbuild/protobuf';
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
}

const NANOS_PER_CPU = 1_000_000_000n;

/** What the scheduler may count on, by kind. A manager that is a dockerd insists on Network/overlay. */
const PLUGINS: Record<string, readonly string[]> = {
  Log: ['json-file', 'local', 'none'],
  Network: ['bridge', 'host', 'null', 'overlay'],
  Volume: ['local'],
};

function plugins() {
  return Object.entries(PLUGINS).flatMap(([type, names]) => names.map((name) => ({ type, name })));
}

export function describeNode(facts: NodeFacts): NodeDescription {
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
      plugins: plugins(),
    },
  });
}
