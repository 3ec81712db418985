import { Code, RpcError } from '@skep/platform';
import type { NetworkResource } from './local-networks.js';

export type NetworkFilters = Record<string, string[]>;

type Test = (network: NetworkResource, value: string) => boolean;

function labelMatches(network: NetworkResource, value: string): boolean {
  const [key = '', ...rest] = value.split('=');
  if (!(key in network.Labels)) return false;
  return rest.length === 0 || network.Labels[key] === rest.join('=');
}

const TESTS: Record<string, Test> = {
  driver: (network, value) => network.Driver === value,
  id: (network, value) => network.Id.startsWith(value),
  label: labelMatches,
  name: (network, value) => network.Name.includes(value),
  scope: (network, value) => network.Scope === value,
  // The predefined networks are the only local ones, and never count as unused.
  type: (_, value) => readType(value) === 'builtin',
  dangling: (_, value) => !readBoolean(value),
};

function readType(value: string): string {
  if (value === 'builtin' || value === 'custom') return value;
  throw new RpcError(Code.INVALID_ARGUMENT, `invalid filter: 'type'='${value}'`);
}

function readBoolean(value: string): boolean {
  if (['1', 't', 'true', 'True', 'TRUE', 'T'].includes(value)) return true;
  if (['0', 'f', 'false', 'False', 'FALSE', 'F'].includes(value)) return false;
  throw new RpcError(Code.INVALID_ARGUMENT, `invalid filter 'dangling=[${value}]'`);
}

/** Several values of one filter: any will do, but of labels all must match. */
export function matchesFilters(network: NetworkResource, filters: NetworkFilters): boolean {
  return Object.entries(filters).every(([name, values]) => {
    const test = TESTS[name];
    if (!test) throw new RpcError(Code.INVALID_ARGUMENT, `invalid filter '${name}'`);
    const matches = (value: string) => test(network, value);
    return name === 'label' ? values.every(matches) : values.some(matches);
  });
}
