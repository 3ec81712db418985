import type { NodeObject } from '@skep/wire';
import { NodeRole } from '@skep/wire/swarmkit';
import { contains, parseAddress, parseSubnet, sameAddress } from './address.js';
import type { Constraint } from './parse.js';

const NODE_LABEL_PREFIX = 'node.labels.';
const ENGINE_LABEL_PREFIX = 'engine.labels.';

/** Whether a node satisfies all constraints. A key nobody knows is satisfied by no node. */
export function nodeMatches(constraints: readonly Constraint[], node: NodeObject): boolean {
  return constraints.every((constraint) => matches(constraint, node));
}

function matches(constraint: Constraint, node: NodeObject): boolean {
  if (constraint.key.toLowerCase() === 'node.ip') return addressMatches(constraint, node);
  const actual = nodeValue(constraint.key, node);
  if (actual === undefined) return false;
  const same = actual.toLowerCase() === constraint.value.toLowerCase();
  return same === (constraint.operator === '==');
}

/**
 * What a node has under a key: '' when it has nothing there, undefined when there is no such key.
 */
function nodeValue(key: string, node: NodeObject): string | undefined {
  const folded = key.toLowerCase();
  const description = node.description;
  if (isLabelKey(folded, NODE_LABEL_PREFIX)) {
    return label(node.spec.annotations.labels, key.slice(NODE_LABEL_PREFIX.length));
  }
  if (isLabelKey(folded, ENGINE_LABEL_PREFIX)) {
    return label(description?.engine?.labels ?? {}, key.slice(ENGINE_LABEL_PREFIX.length));
  }
  switch (folded) {
    case 'node.id':
      return node.id;
    case 'node.hostname':
      return description?.hostname ?? '';
    case 'node.role':
      return NodeRole[node.role] ?? '';
    case 'node.platform.os':
      return description?.platform?.os ?? '';
    case 'node.platform.arch':
      return description?.platform?.architecture ?? '';
    default:
      return undefined;
  }
}

function isLabelKey(foldedKey: string, prefix: string): boolean {
  return foldedKey.length > prefix.length && foldedKey.startsWith(prefix);
}

/** Labels come as plain objects, which inherit names such as `constructor`. */
function label(labels: Record<string, string>, name: string): string {
  return Object.hasOwn(labels, name) ? (labels[name] ?? '') : '';
}

/** `node.ip` compares with one address or a subnet; anything else is satisfied by no node. */
function addressMatches(constraint: Constraint, node: NodeObject): boolean {
  const address = parseAddress(node.status.addr);
  const wanted = parseAddress(constraint.value);
  const subnet = parseSubnet(constraint.value);
  if (!wanted && !subnet) return false;
  const within = wanted ? sameAddress(wanted, address) : subnet && contains(subnet, address);
  return within === (constraint.operator === '==');
}
