import { Code, RpcError } from '@skep/platform';
import type { LogConfig } from '../contract/config.js';
import { syslogOptions } from './remote/syslog-options.js';
import { parseMemorySize } from './size.js';

const COMMON = ['labels', 'labels-regex', 'env', 'env-regex', 'tag'];
const FILES = ['max-size', 'max-file', 'compress'];

/** Drivers and the options each knows beside those of every driver. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  'json-file': [...FILES, ...COMMON],
  local: [...FILES, ...COMMON],
  journald: COMMON,
  syslog: [
    ...COMMON,
    'syslog-address',
    'syslog-facility',
    'syslog-format',
    'syslog-tls-ca-cert',
    'syslog-tls-cert',
    'syslog-tls-key',
    'syslog-tls-skip-verify',
  ],
};

/** Log drivers a container may ask for, beside `none`. */
export const LOG_DRIVERS: readonly string[] = Object.keys(OPTIONS).sort();

/** Drivers whose entries go elsewhere; this node keeps a copy, so that they can be read. */
export const REMOTE_DRIVERS = ['journald', 'syslog'];

/** Before the name of an option of the copy that is kept of a remote log. */
export const CACHE_PREFIX = 'cache-';
const BUILT_IN = [
  'mode',
  'max-buffer-size',
  ...['disabled', ...FILES].map((o) => CACHE_PREFIX + o),
];

/** Refuses what Docker refuses when a container is created, in its order and words. */
export function checkLogConfig({ Type, Config }: LogConfig): void {
  if (Type === 'none') return;
  const { mode = '' } = Config;
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw invalid(`logger: logging mode not supported: ${mode}`);
  }
  checkBufferSize(mode, Config['max-buffer-size']);
  const disabled = Config['cache-disabled'];
  if (disabled && parseBoolean(disabled) === undefined) {
    throw invalid(`invalid value for option cache-disabled: ${disabled}`);
  }
  const known = Object.hasOwn(OPTIONS, Type) ? OPTIONS[Type] : undefined;
  if (!known) throw invalid(`logger: no log driver named '${Type}' is registered`);
  for (const name of Object.keys(Config)) {
    if (known.includes(name) || BUILT_IN.includes(name)) continue;
    const where = Type === 'local' ? 'log driver local' : `${Type} log driver`;
    throw invalid(`unknown log opt '${name}' for ${where}`);
  }
  if (Type === 'syslog') syslogOptions(Config);
}

function checkBufferSize(mode: string, size: string | undefined): void {
  if (size === undefined) return;
  if (mode !== 'non-blocking') {
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  if (parseMemorySize(size) === undefined) {
    throw invalid(`error parsing option max-buffer-size: invalid size: '${size}'`);
  }
}

/** Go's `strconv.ParseBool`. */
export function parseBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  return undefined;
}

function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}
