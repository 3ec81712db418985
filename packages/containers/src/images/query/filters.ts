import { Code, RpcError } from '@skep/platform';
import type { Filters } from '../../contract/engine.js';
import type { Image, ImageName } from '../index-map.js';
import { familiarName, familiarString } from '../reference.js';
import { globMatches } from './glob.js';
import { parseInstantMs } from './instant.js';

const LIST_FILTERS = ['dangling', 'label', 'before', 'since', 'reference', 'until'];
const PRUNE_FILTERS = ['dangling', 'label', 'label!', 'until'];

export interface FilterContext {
  /** Finds the image a `before` or `since` names. */
  find(reference: string): Promise<Image>;
  nowMs: number;
}

export type ImageTest = (image: Image) => boolean;

function rejectUnknown(filters: Filters, known: readonly string[]): void {
  const unknown = Object.keys(filters).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new RpcError(Code.INVALID_ARGUMENT, `invalid filter '${unknown}'`);
}

/** The value of a filter that is true or false; undefined when it is not given. */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const values = filters[name] ?? [];
  const read = values.map((value) => {
    if (['1', 'true'].includes(value)) return true;
    if (['0', 'false'].includes(value)) return false;
    const text = `invalid filter '${name}=[${values.join(' ')}]'`;
    throw new RpcError(Code.INVALID_ARGUMENT, text);
  });
  return read.length === 0 ? undefined : read.includes(true);
}

/** When an image was made, in ms since the epoch; 0 when it does not say. */
export function createdMs(image: Image): number {
  const ms = Date.parse(image.config.created ?? '');
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}

/** Whether no tag names an image (a digest alone is none). */
export function isUntagged(image: Image): boolean {
  return image.names.every((name) => name.dangling || name.reference.digest !== undefined);
}

function hasLabel(image: Image, wanted: string): boolean {
  const labels = image.config.config.Labels ?? {};
  const equals = wanted.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(equals + 1);
}

/** A pattern names a repository, a repository with tag, or either with wild cards. */
function matchesReference({ reference, dangling }: ImageName, pattern: string): boolean {
  if (dangling) return false;
  const { tag, ...untagged } = reference;
  const candidates = [
    familiarString(reference),
    familiarName(reference),
    ...(tag === undefined ? [] : [familiarString(untagged)]),
  ];
  return candidates.some((candidate) => globMatches(pattern, candidate));
}

/** Which names of the listed images are shown: those a `reference` filter asks for. */
export function nameTest(filters: Filters): (name: ImageName) => boolean {
  const patterns = filters['reference'] ?? [];
  if (patterns.length === 0) return () => true;
  return (name) => patterns.some((pattern) => matchesReference(name, pattern));
}

function untilTest(filters: Filters, nowMs: number): ImageTest[] {
  const values = filters['until'] ?? [];
  if (values.length > 1) {
    throw new RpcError(Code.INVALID_ARGUMENT, 'more than one until filter specified');
  }
  return values.map((value) => {
    const endMs = parseInstantMs(value, nowMs);
    return (image) => createdMs(image) < endMs;
  });
}

/** What `docker images --filter …` keeps. */
export async function listTest(filters: Filters, context: FilterContext): Promise<ImageTest> {
  rejectUnknown(filters, LIST_FILTERS);
  const tests: ImageTest[] = untilTest(filters, context.nowMs);
  const dangling = booleanFilter(filters, 'dangling');
  if (dangling !== undefined) tests.push((image) => isUntagged(image) === dangling);
  for (const label of filters['label'] ?? []) tests.push((image) => hasLabel(image, label));
  for (const name of filters['before'] ?? []) {
    const limitMs = createdMs(await context.find(name));
    tests.push((image) => createdMs(image) < limitMs);
  }
  for (const name of filters['since'] ?? []) {
    const limitMs = createdMs(await context.find(name));
    tests.push((image) => createdMs(image) > limitMs);
  }
  if ((filters['reference'] ?? []).length > 0) {
    const isWanted = nameTest(filters);
    tests.push((image) => image.names.some(isWanted));
  }
  return (image) => tests.every((test) => test(image));
}

/** Which unused images `docker image prune --filter …` takes; by default those without a tag. */
export function pruneTest(filters: Filters, nowMs: number): ImageTest {
  rejectUnknown(filters, PRUNE_FILTERS);
  const tests: ImageTest[] = untilTest(filters, nowMs);
  if (booleanFilter(filters, 'dangling') ?? true) tests.push(isUntagged);
  for (const label of filters['label'] ?? []) tests.push((image) => hasLabel(image, label));
  for (const label of filters['label!'] ?? []) tests.push((image) => !hasLabel(image, label));
  return (image) => tests.every((test) => test(image));
}
