/** Stands between name and number of a version: no name that a user gives can hold it. */
const SEPARATOR = '@';

/**
 * What the object of a version is called in the store: the first as the user called it, later ones
 * `NAME@2` and so on, which Docker Engines as managers show as they are.
 */
export function versionName(name: string, number: number): string {
  return number === 1 ? name : `${name}${SEPARATOR}${number}`;
}

/** The name that the user gave, and which of its versions this is, from 1 on. */
export function readVersionName(stored: string): { name: string; number: number } {
  const at = stored.lastIndexOf(SEPARATOR);
  if (at < 0) return { name: stored, number: 1 };
  return { name: stored.slice(0, at), number: Number(stored.slice(at + SEPARATOR.length)) };
}
