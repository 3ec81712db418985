import { create, equals } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import {
  type EndpointSpec,
  EndpointSpecSchema,
  PlacementSchema,
  type TaskSpec,
  TaskSpecSchema,
  TaskState,
  type Version,
} from '@skep/wire/swarmkit';
import { constraintsOf, nodeMatches } from '../constraint/index.js';
import { memoOfPairs } from './pair-memo.js';

/** In what two task specs differ. */
interface SpecDifferences {
  placement: boolean;
  /** The registry credentials the image is pulled with. */
  pullOptions: boolean;
  /** Anything else. */
  other: boolean;
}

const NONE: SpecDifferences = { placement: false, pullOptions: false, other: false };

/**
 * Whether a task does not do what its service's spec asks for and has to be replaced (wire-raft.md
 * 6.2). A task of an older spec version is still clean when the specs say the same; when only the
 * placement changed and its node satisfies the new one; or when only registry credentials changed
 * and it has its image.
 */
export function isTaskDirty(view: ReadView, service: ServiceObject, task: TaskObject): boolean {
  if (sameVersion(service.specVersion, task.specVersion)) return false;
  if (task.endpoint && !sameEndpoint(service.spec.endpoint, task.endpoint.spec)) return true;
  const differences = compare(service.spec.task, task.spec);
  if (differences.other) return true;
  if (differences.pullOptions && !hasImage(task)) return true;
  return differences.placement && !placementHolds(view, service, task);
}

/**
 * Whether two tasks were made to do the same, which makes the later one a restart of the earlier.
 */
export function doSame(a: TaskObject, b: TaskObject): boolean {
  if (a.specVersion && sameVersion(a.specVersion, b.specVersion)) return true;
  if (!sameEndpoint(a.endpoint?.spec, b.endpoint?.spec)) return false;
  const { placement, pullOptions, other } = compare(a.spec, b.spec);
  return !placement && !pullOptions && !other;
}

export function sameVersion(a: Version | undefined, b: Version | undefined): boolean {
  return a !== undefined && a.index === b?.index;
}

/** Whether the task got far enough to need no registry any more. */
function hasImage(task: TaskObject): boolean {
  const { state } = task.status;
  const runnable = task.desiredState <= TaskState.RUNNING;
  return runnable && state >= TaskState.READY && state <= TaskState.RUNNING;
}

function placementHolds(view: ReadView, service: ServiceObject, task: TaskObject): boolean {
  const node = view.get('node', task.nodeId);
  return node !== undefined && nodeMatches(constraintsOf(service.spec.task.placement), node);
}

const NO_ENDPOINT = create(EndpointSpecSchema);
const NO_PLACEMENT = create(PlacementSchema);

function sameEndpoint(a: EndpointSpec | undefined, b: EndpointSpec | undefined): boolean {
  return a === b || endpointsEqual(a ?? NO_ENDPOINT, b ?? NO_ENDPOINT);
}

const endpointsEqual = memoOfPairs((a: EndpointSpec, b: EndpointSpec) =>
  equals(EndpointSpecSchema, a, b),
);

function compare(a: TaskSpec, b: TaskSpec): SpecDifferences {
  return a === b ? NONE : compareInFull(a, b);
}

const compareInFull = memoOfPairs((a: TaskSpec, b: TaskSpec): SpecDifferences => {
  return {
    placement: !equals(PlacementSchema, a.placement ?? NO_PLACEMENT, b.placement ?? NO_PLACEMENT),
    pullOptions: registryAuth(a) !== registryAuth(b),
    other: !equals(TaskSpecSchema, essence(a), essence(b)),
  };
});

function registryAuth(spec: TaskSpec): string {
  return spec.runtime.case === 'container'
    ? (spec.runtime.value.pullOptions?.registryAuth ?? '')
    : '';
}

/** The spec without what is compared apart. */
function essence(spec: TaskSpec): TaskSpec {
  const rest = { ...spec, placement: undefined };
  if (spec.runtime.case !== 'container') return rest;
  const container = { ...spec.runtime.value, pullOptions: undefined };
  return { ...rest, runtime: { case: 'container', value: container } };
}
