import { compareVersions } from '../../server/versions.js';

type Fields = Record<string, unknown>;

/** What a field path leads through; lists are walked item by item. */
interface Removal {
  /** The first API version that knows the field. */
  since: string;
  path: readonly string[];
}

const CONTAINER = ['TaskTemplate', 'ContainerSpec'];
const PRIVILEGES = [...CONTAINER, 'Privileges'];

/** Fields of a service that older clients did not know, and whose values Docker drops (features.md 2.3). */
const SERVICE_FIELDS: readonly Removal[] = [
  { since: '1.40', path: [...CONTAINER, 'Sysctls'] },
  { since: '1.40', path: [...PRIVILEGES, 'CredentialSpec', 'Config'] },
  { since: '1.40', path: [...CONTAINER, 'Configs', 'Runtime'] },
  { since: '1.40', path: ['TaskTemplate', 'Placement', 'MaxReplicas'] },
  { since: '1.41', path: [...CONTAINER, 'CapabilityAdd'] },
  { since: '1.41', path: [...CONTAINER, 'CapabilityDrop'] },
  { since: '1.41', path: [...CONTAINER, 'Ulimits'] },
  { since: '1.41', path: ['TaskTemplate', 'Resources', 'Limits', 'Pids'] },
  { since: '1.41', path: ['Mode', 'ReplicatedJob'] },
  { since: '1.41', path: ['Mode', 'GlobalJob'] },
  { since: '1.44', path: [...PRIVILEGES, 'Seccomp'] },
  { since: '1.44', path: [...PRIVILEGES, 'AppArmor'] },
  { since: '1.44', path: [...PRIVILEGES, 'NoNewPrivileges'] },
  { since: '1.44', path: [...CONTAINER, 'Healthcheck', 'StartInterval'] },
  { since: '1.46', path: [...CONTAINER, 'Mounts', 'TmpfsOptions', 'Options'] },
  { since: '1.46', path: [...CONTAINER, 'OomScoreAdj'] },
];

const INIT_FIELDS: readonly Removal[] = [
  { since: '1.39', path: ['DefaultAddrPool'] },
  { since: '1.39', path: ['SubnetSize'] },
  { since: '1.40', path: ['DataPathPort'] },
];

/** Removes, in place, what a client of this version cannot have meant. */
export function dropUnknownServiceFields(body: unknown, apiVersion: string): void {
  drop(body, SERVICE_FIELDS, apiVersion);
}

export function dropUnknownInitFields(body: unknown, apiVersion: string): void {
  drop(body, INIT_FIELDS, apiVersion);
}

function drop(body: unknown, removals: readonly Removal[], apiVersion: string): void {
  for (const { since, path } of removals) {
    if (compareVersions(apiVersion, since) < 0) removePath(body, path);
  }
}

function removePath(value: unknown, [name, ...rest]: readonly string[]): void {
  if (Array.isArray(value)) {
    for (const item of value) removePath(item, name === undefined ? [] : [name, ...rest]);
    return;
  }
  if (typeof value !== 'object' || value === null || name === undefined) return;
  const fields = value as Fields;
  if (rest.length === 0) delete fields[name];
  else removePath(fields[name], rest);
}
