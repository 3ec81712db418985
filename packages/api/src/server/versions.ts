import { API_VERSION_MAX, API_VERSION_MIN } from '../limits.js';
import { HttpError } from './errors.js';

const VERSION_PREFIX = /^\/v(\d+\.\d+)(\/.*)$/;

/** Negative, zero or positive as version `a` is older than, equal to or newer than `b` (`1.9` < `1.24`). */
export function compareVersions(a: string, b: string): number {
  const [dotA, dotB] = [a.indexOf('.'), b.indexOf('.')];
  const major = Number(a.slice(0, dotA)) - Number(b.slice(0, dotB));
  return major || Number(a.slice(dotA + 1)) - Number(b.slice(dotB + 1));
}

/** Splits `/v1.41/services` into version and path; a path without prefix speaks the newest version. */
export function splitVersion(url: string): { version: string; path: string } {
  const match = VERSION_PREFIX.exec(url);
  return { version: match?.[1] ?? API_VERSION_MAX, path: match?.[2] ?? url };
}

/** Throws Docker's 400 for a version we do not serve. */
export function checkVersion(version: string): void {
  if (compareVersions(version, API_VERSION_MAX) > 0) {
    const text = `client version ${version} is too new. Maximum supported API version is ${API_VERSION_MAX}`;
    throw new HttpError(400, text);
  }
  if (compareVersions(version, API_VERSION_MIN) < 0) {
    const advice = 'please upgrade your client to a newer version';
    const text = `client version ${version} is too old. Minimum supported API version is ${API_VERSION_MIN}, ${advice}`;
    throw new HttpError(400, text);
  }
}
