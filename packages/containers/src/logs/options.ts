import { Code, RpcError } from '@skep/platform';
import type { LogConfig } from '../contract/config.js';
import {
  LOCAL_LOG_FILE_BYTES_DEFAULT,
  LOCAL_LOG_FILES_DEFAULT,
  LOG_BUFFER_BYTES_DEFAULT,
  LOG_FILE_BYTES_DEFAULT,
  LOG_FILES_DEFAULT,
} from '../limits.js';
import { CACHE_PREFIX, checkLogConfig, parseBoolean, REMOTE_DRIVERS } from './drivers.js';
import { parseHumanSize, parseMemorySize } from './size.js';

type Options = Readonly<Record<string, string>>;

/** How a container's output is kept. */
export interface LogPolicy {
  driver: string;
  options: Options;
  /** Whether there are files of it on this node: what can be read. */
  keeps: boolean;
  files: FilePolicy;
  /** Undefined when it goes nowhere else. */
  remote: RemotePolicy | undefined;
}

export interface FilePolicy {
  fileBytesMax: number;
  files: number;
  /** Whether files that are full are compressed. */
  compress: boolean;
}

export interface RemotePolicy {
  /** Bytes that may wait for the log's receiver. */
  bufferBytesMax: number;
  /** Whether the container is held back, for a while, when more would have to wait. */
  holdsBack: boolean;
}

const NO_FILES: FilePolicy = { fileBytesMax: 1, files: 1, compress: false };

/** Understands a log configuration; refuses what cannot be done, with Docker's words. */
export function logPolicy(config: LogConfig): LogPolicy {
  const driver = config.Type === '' ? 'json-file' : config.Type;
  const options = config.Config;
  checkLogConfig({ Type: driver, Config: options });
  if (driver === 'none') {
    return { driver, options, keeps: false, files: NO_FILES, remote: undefined };
  }
  if (!REMOTE_DRIVERS.includes(driver)) {
    const files = driver === 'local' ? localFiles(options) : jsonFiles(options);
    return { driver, options, keeps: true, files, remote: undefined };
  }
  const bufferBytes = parseMemorySize(options['max-buffer-size'] ?? '') ?? 0;
  return {
    driver,
    options,
    keeps: parseBoolean(options['cache-disabled'] ?? '') !== true,
    files: localFiles(cacheOptions(options)),
    remote: {
      bufferBytesMax: bufferBytes > 0 ? bufferBytes : LOG_BUFFER_BYTES_DEFAULT,
      holdsBack: options['mode'] !== 'non-blocking',
    },
  };
}

/** What an earlier version took and this one would refuse must not keep the daemon from starting. */
export function keptLogPolicy(config: LogConfig): LogPolicy {
  try {
    return logPolicy(config);
  } catch {
    return logPolicy({ Type: 'json-file', Config: {} });
  }
}

function cacheOptions(options: Options): Options {
  return Object.fromEntries(
    Object.entries(options)
      .filter(([name]) => name.startsWith(CACHE_PREFIX))
      .map(([name, value]) => [name.slice(CACHE_PREFIX.length), value]),
  );
}

/** Docker's `json-file`, but bounded where nothing is said. */
function jsonFiles(options: Options): FilePolicy {
  const fileBytes = optional(options['max-size'], humanSize);
  if (fileBytes === 0) throw invalid('max-size must be a positive number');
  const files = optional(options['max-file'], integer);
  if (files !== undefined && files < 1) throw invalid('max-file cannot be less than 1');
  const compress = optional(options['compress'], boolean) ?? false;
  if (compress && ((files ?? 1) === 1 || fileBytes === undefined)) {
    const when = 'max-file is less than 2 or max-size is not set';
    throw invalid(`compress cannot be true when ${when}`);
  }
  return {
    fileBytesMax: fileBytes ?? LOG_FILE_BYTES_DEFAULT,
    files: files ?? LOG_FILES_DEFAULT,
    compress,
  };
}

/** Docker's `local`, and its copy of a remote log. */
function localFiles(options: Options): FilePolicy {
  const { 'max-size': size, 'max-file': count, compress: packed } = options;
  const fileBytes = optional(size, humanSize, `invalid value for max-size: ${size}: `);
  const files = optional(count, integer, `invalid value for max-file: ${count}: `);
  const compress = optional(packed, boolean, 'error reading compress log option: ') ?? true;
  if (files !== undefined && files < 0) throw invalid('max-file must not be negative');
  if (compress && files !== undefined && files <= 1) {
    throw invalid('compression cannot be enabled when max file count is 1');
  }
  return {
    fileBytesMax: fileBytes || LOCAL_LOG_FILE_BYTES_DEFAULT,
    files: Math.max(files ?? LOCAL_LOG_FILES_DEFAULT, 1),
    compress,
  };
}

/** Reads an option that may not be given; `context` is put before what is wrong with it. */
function optional<T extends number | boolean>(
  text: string | undefined,
  read: (text: string) => T | string,
  context = '',
): T | undefined {
  if (text === undefined) return undefined;
  const value = read(text);
  if (typeof value === 'string') throw invalid(context + value);
  return value;
}

/** These three answer with the value, or with Go's text of what is wrong. */
function humanSize(text: string): number | string {
  return parseHumanSize(text) ?? `invalid size: '${text}'`;
}

function integer(text: string): number | string {
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  return `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
}

function boolean(text: string): boolean | string {
  const problem = `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
  return parseBoolean(text) ?? problem;
}

function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, `failed to initialize logging driver: ${message}`);
}
