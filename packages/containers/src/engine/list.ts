import { Code, RpcError } from '@skep/platform';
import type { Filters, ListOptions } from '../contract/engine.js';
import type { Container } from './container.js';
import { publishedPorts } from './describe.js';
import {
  booleanFilter,
  invalidFilter,
  matchLabels,
  refuseUnknownFilters,
  untilMs,
} from './filters.js';

const LIST_FILTERS = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];
const PRUNE_FILTERS = ['label', 'label!', 'until'];
const STATUSES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const HEALTHS = ['none', 'starting', 'healthy', 'unhealthy'];

type Test = (container: Container) => boolean;

export interface ListInput {
  containers: Container[];
  options: ListOptions;
  /** Finds a container by reference, for `before` and `since`. */
  find: (reference: string) => Container;
  /** Image id of a reference, for `ancestor`; undefined when there is no such image. */
  imageIds: ReadonlyMap<string, string | undefined>;
}

/** The containers a listing shows, newest first. Throws for filters that Docker refuses. */
export function selectContainers(input: ListInput): Container[] {
  const { filters, all, limit = 0 } = input.options;
  refuseUnknownFilters(filters, LIST_FILTERS);
  const tests = buildTests(input, filters);
  const showStopped = all || limit > 0 || filters['status'] || filters['exited'];
  const selected = input.containers
    .filter((container) => showStopped || container.status.state.Running)
    .filter((container) => tests.every((test) => test(container)))
    .sort((a, b) => (a.record.created < b.record.created ? 1 : -1));
  return limit > 0 ? selected.slice(0, limit) : selected;
}

function buildTests(input: ListInput, filters: Filters): Test[] {
  const tests: Test[] = [];
  const anyOf = (name: string, matches: (container: Container, value: string) => boolean) => {
    const values = filters[name];
    if (values) tests.push((container) => values.some((value) => matches(container, value)));
  };
  checkValues(filters, 'status', STATUSES);
  checkValues(filters, 'health', HEALTHS);
  anyOf('status', (container, value) => container.status.state.Status === value);
  anyOf(
    'health',
    (container, value) => (container.status.state.Health?.Status ?? 'none') === value,
  );
  anyOf('id', (container, value) => container.id.startsWith(value));
  anyOf('name', (container, value) => matchesName(container.name, value));
  anyOf('exited', (container, value) => {
    const { Running, Status, ExitCode } = container.status.state;
    return !Running && Status !== 'created' && ExitCode === exitCode(value);
  });
  anyOf('is-task', (container, value) => {
    return (container.record.task !== undefined) === booleanFilter('is-task', value);
  });
  anyOf('ancestor', (container, value) => {
    const { record } = container;
    const id = input.imageIds.get(value);
    return id === undefined ? record.config.Image === value : record.imageId === id;
  });
  anyOf('volume', (container, value) =>
    container.record.mounts.some((m) => m.Name === value || m.Destination === value),
  );
  anyOf('network', (container, value) => matchesNetwork(container, value));
  anyOf('publish', (container, value) => hasPort(container, value, true));
  anyOf('expose', (container, value) => hasPort(container, value, false));
  const labels = filters['label'];
  if (labels) tests.push((container) => matchLabels(container.record.config.Labels, labels));
  for (const reference of filters['before'] ?? []) {
    const { created } = input.find(reference).record;
    tests.push((container) => container.record.created < created);
  }
  for (const reference of filters['since'] ?? []) {
    const { created } = input.find(reference).record;
    tests.push((container) => container.record.created > created);
  }
  return tests;
}

function checkValues(filters: Filters, name: string, known: readonly string[]): void {
  for (const value of filters[name] ?? []) {
    if (!known.includes(value)) throw invalidFilter(name, value);
  }
}

function exitCode(value: string): number {
  if (/^-?\d+$/.test(value)) return Number(value);
  throw invalidFilter('exited', value);
}

/** Docker takes names as regular expressions, tried with and without the leading slash. */
function matchesName(name: string, value: string): boolean {
  try {
    const pattern = new RegExp(value);
    return pattern.test(name) || pattern.test(`/${name}`);
  } catch {
    return name === value;
  }
}

function matchesNetwork(container: Container, value: string): boolean {
  const endpoints = container.status.sandbox?.state.endpoints ?? {};
  if (container.record.hostConfig.NetworkMode === value) return true;
  return Object.entries(endpoints).some(
    ([name, endpoint]) => name === value || endpoint.NetworkID.startsWith(value),
  );
}

/** `80`, `80/tcp` or `8000-8080/udp` among the ports. */
function hasPort(container: Container, value: string, published: boolean): boolean {
  const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/.exec(value);
  if (!match) {
    throw new RpcError(
      Code.INVALID_ARGUMENT,
      `invalid filter '${published ? 'publish' : 'expose'}=${value}'`,
    );
  }
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  const type = match[3] ?? 'tcp';
  return publishedPorts(container).some((port) => {
    const number = published ? port.PublicPort : port.PrivatePort;
    return number !== undefined && number >= first && number <= last && port.Type === type;
  });
}

/** Which stopped containers a prune takes. */
export function pruneCandidates(
  containers: Container[],
  filters: Filters,
  nowMs: number,
): Container[] {
  refuseUnknownFilters(filters, PRUNE_FILTERS);
  const limits = (filters['until'] ?? []).map((text) => untilMs(text, nowMs));
  return containers.filter((container) => {
    const { record, status } = container;
    if (status.state.Running || container.removing) return false;
    if (limits.some((limitMs) => Date.parse(record.created) > limitMs)) return false;
    const { Labels } = record.config;
    if (filters['label'] && !matchLabels(Labels, filters['label'])) return false;
    return !filters['label!']?.some((label) => matchLabels(Labels, [label]));
  });
}
