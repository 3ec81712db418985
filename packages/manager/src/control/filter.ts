/** The name, id and label filters that every list request has. */
export interface CommonFilters {
  names: string[];
  idPrefixes: string[];
  namePrefixes: string[];
  labels: Record<string, string>;
}

/** True when `value` is among `wanted`, or when nothing in particular is wanted. */
export function isOneOf<T>(value: T, wanted: readonly T[]): boolean {
  return wanted.length === 0 || wanted.includes(value);
}

export function startsWithOneOf(value: string, prefixes: readonly string[]): boolean {
  return prefixes.length === 0 || prefixes.some((prefix) => value.startsWith(prefix));
}

/** All wanted labels are there; one wanted without a value may have any. */
export function hasLabels(labels: Record<string, string>, wanted: Record<string, string>): boolean {
  return Object.entries(wanted).every(
    ([key, value]) => Object.hasOwn(labels, key) && (value === '' || labels[key] === value),
  );
}

/** The common filters together: each of them must hold. */
export function matchesCommon(
  object: { id: string },
  annotations: { name: string; labels: Record<string, string> },
  filters: CommonFilters | undefined,
): boolean {
  if (!filters) return true;
  return (
    isOneOf(annotations.name, filters.names) &&
    startsWithOneOf(annotations.name, filters.namePrefixes) &&
    startsWithOneOf(object.id, filters.idPrefixes) &&
    hasLabels(annotations.labels, filters.labels)
  );
}

/**
 * The filters of secrets and configs: any one of the names (letter case aside), name prefixes or
 * prefixes of one of the ids is enough, and all labels must match.
 */
export function matchesPayload(
  ids: readonly string[],
  annotations: { name: string; labels: Record<string, string> },
  filters: CommonFilters | undefined,
): boolean {
  if (!filters) return true;
  if (!hasLabels(annotations.labels, filters.labels)) return false;
  const { names, namePrefixes, idPrefixes } = filters;
  if (names.length + namePrefixes.length + idPrefixes.length === 0) return true;
  const name = annotations.name.toLowerCase();
  return (
    names.some((wanted) => wanted.toLowerCase() === name) ||
    namePrefixes.some((prefix) => name.startsWith(prefix.toLowerCase())) ||
    idPrefixes.some((prefix) => ids.some((id) => id.startsWith(prefix)))
  );
}
