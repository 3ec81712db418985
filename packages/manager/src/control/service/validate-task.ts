import { durationMs } from '@skep/wire';
import type {
  Annotations,
  GenericResource,
  GenericRuntimeSpec,
  ResourceRequirements,
  Resources,
  RestartPolicy,
  TaskSpec,
} from '@skep/wire/swarmkit';
import { parseConstraints } from '../../constraint/index.js';
import { invalidArgument, unimplemented } from '../errors.js';
import { formatNumber } from '../format.js';
import { CPU_NANOS_MIN, MEMORY_BYTES_MIN } from '../limits.js';
import { checkConfigReferences, checkSecretReferences } from './references.js';
import { checkTemplates } from './templates.js';
import { checkContainer } from './validate-container.js';

const NANOS_PER_CPU = 1e9;

/** Checks a service's task template, in SwarmKit's order; throws Docker's text (features.md 2.5). */
export function checkTaskSpec(spec: TaskSpec, service: Annotations): void {
  checkResources(spec.resources);
  checkRestartPolicy(spec.restart);
  parseConstraints(spec.placement?.constraints ?? []);
  const { runtime } = spec;
  if (runtime.case === 'container') {
    checkSecretReferences(runtime.value.secrets);
    checkConfigReferences(runtime.value);
  }
  switch (runtime.case) {
    case undefined:
      throw invalidArgument('TaskSpec: missing runtime');
    case 'container':
      checkTemplates(runtime.value, service);
      checkContainer(runtime.value);
      return;
    case 'generic':
      checkGeneric(runtime.value);
      throw unimplemented('services that run plugins are not supported; run a container instead');
    default:
      throw unimplemented('RuntimeSpec: unimplemented runtime in service spec');
  }
}

function checkResources(resources: ResourceRequirements | undefined): void {
  for (const part of [resources?.limits, resources?.reservations]) {
    if (part) checkAmounts(part);
  }
  if (resources) checkSwap(resources);
}

const SWAPPINESS_MAX = 100;

/** Docker's managers leave this to the node, where each task would be rejected. */
function checkSwap({ limits, memorySwappiness, swapBytes }: ResourceRequirements): void {
  if (swapBytes !== undefined && swapBytes < -1n) {
    throw invalidArgument(`invalid swap value ${swapBytes}: Must be -1 (unlimited) or more`);
  }
  if (swapBytes !== undefined && swapBytes >= 0n && !limits?.memoryBytes) {
    const text = 'You should always set the Memory limit when using Memoryswap limit, see usage';
    throw invalidArgument(text);
  }
  if (memorySwappiness === undefined) return;
  if (memorySwappiness < -1n || memorySwappiness > SWAPPINESS_MAX) {
    throw invalidArgument(
      `invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`,
    );
  }
}

function checkAmounts({ generic, nanoCpus, memoryBytes }: Resources): void {
  if (nanoCpus !== 0n && nanoCpus < CPU_NANOS_MIN) {
    const cpus = formatNumber(Number(nanoCpus) / NANOS_PER_CPU);
    const least = formatNumber(CPU_NANOS_MIN / NANOS_PER_CPU);
    throw invalidArgument(`invalid cpu value ${cpus}: Must be at least ${least}`);
  }
  if (memoryBytes !== 0n && memoryBytes < MEMORY_BYTES_MIN) {
    throw invalidArgument(`invalid memory value ${memoryBytes}: Must be at least 4MiB`);
  }
  for (const { resource } of generic) checkGenericResource(resource);
}

/** Docker's clients check this; its managers take the former as nothing, and the latter as room. */
function checkGenericResource(resource: GenericResource['resource']): void {
  if (resource.case !== 'discreteResourceSpec') {
    throw invalidArgument(`invalid argument for resource ${resource.value?.kind ?? ''}`);
  }
  const { kind, value } = resource.value;
  if (value < 0n) throw invalidArgument(`cannot ask for negative resource ${kind}`);
}

function checkRestartPolicy(policy: RestartPolicy | undefined): void {
  if (durationMs(policy?.delay) < 0) {
    throw invalidArgument('TaskSpec: restart-delay cannot be negative');
  }
  if (durationMs(policy?.window) < 0) {
    throw invalidArgument('TaskSpec: restart-window cannot be negative');
  }
}

const RESERVED_KINDS = ['container', 'attachment'];

function checkGeneric({ kind, payload }: GenericRuntimeSpec): void {
  if (kind.length < 3) {
    throw invalidArgument(`Generic runtime: Invalid name ${JSON.stringify(kind)}`);
  }
  if (RESERVED_KINDS.includes(kind.toLowerCase())) {
    throw invalidArgument(`Generic runtime: ${JSON.stringify(kind)} is a reserved name`);
  }
  if (!payload) throw invalidArgument('Generic runtime is missing payload');
  if (payload.typeUrl === '') throw invalidArgument('Generic runtime is missing payload type');
  if (payload.value.length === 0) throw invalidArgument('Generic runtime has an empty payload');
}
