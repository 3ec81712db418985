import { Code, RpcError } from '@skep/platform';
import type { LogConfig } from '../contract/config.js';
import { LOG_FILE_BYTES_DEFAULT, LOG_FILES_DEFAULT } from '../limits.js';

/** How a container's output is kept. */
export interface LogPolicy {
  /** `none` keeps nothing. */
  keeps: boolean;
  fileBytesMax: number;
  files: number;
  /** Names of labels and environment variables copied to each entry, as patterns or exact names. */
  labels: string[];
  env: string[];
}

const DRIVERS = new Set(['json-file', 'local', 'none']);
const KNOWN_OPTIONS: Record<string, Set<string>> = {
  'json-file': new Set([
    'max-size',
    'max-file',
    'compress',
    'labels',
    'labels-regex',
    'env',
    'env-regex',
    'tag',
    'mode',
    'max-buffer-size',
  ]),
  local: new Set(['max-size', 'max-file', 'compress', 'mode', 'max-buffer-size']),
  none: new Set(['mode', 'max-buffer-size']),
};

/** Understands a log configuration; refuses what it cannot keep, with Docker's words. */
export function logPolicy(config: LogConfig): LogPolicy {
  const type = config.Type === '' ? 'json-file' : config.Type;
  if (!DRIVERS.has(type)) {
    throw invalid(`logger: no log driver named '${type}' is registered`);
  }
  for (const name of Object.keys(config.Config)) {
    if (!KNOWN_OPTIONS[type]?.has(name)) {
      throw invalid(`unknown log opt '${name}' for ${type} log driver`);
    }
  }
  const options = config.Config;
  const files = options['max-file'] === undefined ? LOG_FILES_DEFAULT : Number(options['max-file']);
  if (!Number.isInteger(files) || files < 1) {
    throw invalid('max-file cannot be less than 1');
  }
  return {
    keeps: type !== 'none',
    fileBytesMax: parseSize(options['max-size']),
    files,
    labels: names(options['labels']),
    env: names(options['env']),
  };
}

function names(list: string | undefined): string[] {
  return (list ?? '').split(',').filter((name) => name !== '');
}

const UNIT_BYTES: Record<string, number> = { '': 1, b: 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/** `10m`, `1.5g`, `500k`; decimal units, as Docker's go-units `FromHumanSize` takes here. */
function parseSize(text: string | undefined): number {
  if (text === undefined || text === '-1') return LOG_FILE_BYTES_DEFAULT;
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)i?b?$/i.exec(text.trim());
  const bytes = match ? Number(match[1]) * (UNIT_BYTES[(match[2] ?? '').toLowerCase()] ?? 0) : 0;
  if (bytes <= 0) throw invalid(`invalid size: '${text}'`);
  return Math.floor(bytes);
}

function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}

/** The attributes that every entry of a container carries. */
export function logAttributes(
  policy: LogPolicy,
  labels: Record<string, string>,
  env: readonly string[],
): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const name of policy.labels) {
    const value = labels[name];
    if (value !== undefined) attributes[name] = value;
  }
  for (const entry of env) {
    const separator = entry.indexOf('=');
    const name = entry.slice(0, separator);
    if (separator > 0 && policy.env.includes(name)) attributes[name] = entry.slice(separator + 1);
  }
  return attributes;
}
