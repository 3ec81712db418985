import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkLogConfig } from '@skep/containers';
import { errorMessage } from '@skep/platform';
import { imageGc } from './image-gc.js';
import { type DaemonOptions, OptionsError, type TlsOptions } from './options.js';

export const DEFAULT_CONFIG_FILE = '/etc/skep/daemon.json';
const DEFAULT_DATA_ROOT = '/var/lib/skep';
const DEFAULT_EXEC_ROOT = '/run/skep';
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'];

/** Every flag: its key in the configuration file where that differs, and whether it may be repeated. */
const FLAGS = {
  'data-root': { type: 'string' },
  'exec-root': { type: 'string' },
  host: { type: 'string', short: 'H', multiple: true, key: 'hosts' },
  containerd: { type: 'string' },
  'insecure-registry': { type: 'string', multiple: true, key: 'insecure-registries' },
  'registry-mirror': { type: 'string', multiple: true, key: 'registry-mirrors' },
  label: { type: 'string', multiple: true, key: 'labels' },
  'default-address-pool': { type: 'string', multiple: true, key: 'default-address-pools' },
  'node-generic-resource': { type: 'string', multiple: true, key: 'node-generic-resources' },
  'allow-service-device': { type: 'string', multiple: true, key: 'allow-service-devices' },
  'allow-privileged-services': { type: 'boolean' },
  iptables: { type: 'boolean' },
  'image-gc-high': { type: 'string' },
  'image-gc-low': { type: 'string' },
  'image-gc-max-age': { type: 'string' },
  'metrics-addr': { type: 'string' },
  'log-level': { type: 'string', short: 'l' },
  'log-driver': { type: 'string' },
  'log-opt': { type: 'string', multiple: true, key: 'log-opts' },
  'config-file': { type: 'string' },
  tlsverify: { type: 'boolean' },
  tlscacert: { type: 'string' },
  tlscert: { type: 'string' },
  tlskey: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

type FlagName = keyof typeof FLAGS;
type Values = Partial<Record<FlagName, string | boolean | string[]>>;

export interface CommandLine {
  help: boolean;
  version: boolean;
  configFile: string;
  /** Whether the user named the file, so that it must exist. */
  configFileGiven: boolean;
  values: Values;
}

/** Reads the command line. Throws {@link OptionsError} with what is wrong. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  let values: Values;
  try {
    const options = { options: FLAGS, strict: true, allowNegative: true } as const;
    values = parseArgs({ args: args.map(bareBoolean), ...options }).values as Values;
  } catch (error) {
    throw new OptionsError(`${(error as Error).message.split('. ')[0]}\nSee 'skepd --help'.`);
  }
  return {
    help: values.help === true,
    version: values.version === true,
    configFile: String(values['config-file'] ?? DEFAULT_CONFIG_FILE),
    configFileGiven: values['config-file'] !== undefined,
    values,
  };
}

/** `--name=false` as Docker has it, and as Node's parser has it. */
function bareBoolean(argument: string): string {
  const [, name = '', value] = /^--([a-z-]+)=(true|false)$/.exec(argument) ?? [];
  const isBoolean = name in FLAGS && FLAGS[name as FlagName].type === 'boolean';
  if (!isBoolean) return argument;
  return value === 'true' ? `--${name}` : `--no-${name}`;
}

/**
 * Joins flags and the configuration file (the parsed JSON of it, or undefined). A key in both is an error, as
 * with dockerd, so that nobody has to know which one wins.
 */
export function resolveOptions(flags: Values, file: unknown): DaemonOptions {
  const merged = { ...flags, ...fileValues(flags, file) };
  const one = (name: FlagName) => merged[name] as string | undefined;
  const many = (name: FlagName) => (merged[name] as string[] | undefined) ?? [];
  const execRoot = resolve(one('exec-root') ?? DEFAULT_EXEC_ROOT);
  const hosts = many('host').length > 0 ? many('host') : [`unix://${execRoot}/skep.sock`];
  const tls = tlsOptions(merged);
  for (const host of hosts) checkHost(host, tls);
  const logLevel = one('log-level') ?? 'info';
  if (!LOG_LEVELS.includes(logLevel)) {
    throw new OptionsError(`invalid logging level: ${logLevel} (one of ${LOG_LEVELS.join(', ')})`);
  }
  for (const label of many('label')) {
    if (!/^[^=]+=/.test(label)) throw new OptionsError(`bad attribute format: ${label}`);
  }
  return {
    dataRoot: resolve(one('data-root') ?? DEFAULT_DATA_ROOT),
    execRoot,
    hosts,
    containerd: one('containerd'),
    insecureRegistries: many('insecure-registry'),
    registryMirrors: many('registry-mirror').map(checkMirror),
    labels: many('label'),
    defaultAddressPools: (merged['default-address-pool'] as unknown[] | undefined)?.map(pool) ?? [],
    genericResources: many('node-generic-resource'),
    serviceAccess: {
      devices: many('allow-service-device')
        .flatMap((text) => text.split(','))
        .map(checkDevice),
      privileged: merged['allow-privileged-services'] === true,
    },
    defaultLog: defaultLog(one('log-driver') ?? 'json-file', merged['log-opt']),
    iptables: merged.iptables !== false,
    imageGc: imageGc(one('image-gc-high'), one('image-gc-low'), one('image-gc-max-age')),
    metricsAddress: one('metrics-addr'),
    logLevel,
    tls,
  };
}

function fileValues(flags: Values, file: unknown): Values {
  if (file === undefined) return {};
  if (typeof file !== 'object' || file === null || Array.isArray(file)) {
    throw new OptionsError('the configuration file must hold a JSON object');
  }
  const values: Values = {};
  const twice: string[] = [];
  for (const [key, value] of Object.entries(file)) {
    const name = flagOfKey(key);
    if (flags[name] !== undefined) twice.push(key);
    checkFileValue(key, name, value);
    values[name] = value as string;
  }
  if (twice.length > 0) {
    const text =
      'the following directives are specified both as a flag and in the configuration file';
    throw new OptionsError(`${text}: ${twice.join(', ')}`);
  }
  return values;
}

function flagOfKey(key: string): FlagName {
  const found = (Object.keys(FLAGS) as FlagName[]).find((name) => {
    const flag = FLAGS[name];
    return ('key' in flag ? flag.key : name) === key;
  });
  if (!found || ['help', 'version', 'config-file'].includes(found)) {
    const text = "the following directives don't match any configuration option";
    throw new OptionsError(`${text}: ${key}`);
  }
  return found;
}

function checkFileValue(key: string, name: FlagName, value: unknown): void {
  const flag = FLAGS[name];
  if (name === 'log-opt') {
    checkLogOptions(key, value);
    return;
  }
  const wanted = 'multiple' in flag ? 'a list' : flag.type === 'boolean' ? 'true or false' : 'text';
  const right =
    'multiple' in flag
      ? Array.isArray(value)
      : typeof value === (flag.type === 'boolean' ? 'boolean' : 'string');
  if (!right) throw new OptionsError(`configuration file: ${key} must be ${wanted}`);
}

function checkLogOptions(key: string, value: unknown): void {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isMap && Object.values(value).every((one) => typeof one === 'string')) return;
  throw new OptionsError(`configuration file: ${key} must be a map of texts`);
}

/** `options` as `KEY=VALUE` of the flag, or as the map of the configuration file. */
function defaultLog(driver: string, options: unknown): DaemonOptions['defaultLog'] {
  const pairs = Array.isArray(options)
    ? options.map((option: string) => {
        const separator = option.indexOf('=');
        if (separator < 1) throw new OptionsError(`invalid logging opt: ${option}`);
        return [option.slice(0, separator), option.slice(separator + 1)];
      })
    : Object.entries(options ?? {});
  const log = { Type: driver, Config: Object.fromEntries(pairs) };
  try {
    checkLogConfig(log);
  } catch (error) {
    throw new OptionsError(`failed to set log opts: ${errorMessage(error)}`);
  }
  return log;
}

function tlsOptions(values: Values): TlsOptions | undefined {
  if (!values.tlsverify) return undefined;
  const files = { caFile: values.tlscacert, certFile: values.tlscert, keyFile: values.tlskey };
  for (const [name, file] of Object.entries(files)) {
    if (!file)
      throw new OptionsError(
        `--tlsverify needs --tls${name.replace('File', '').replace('ca', 'cacert')}`,
      );
  }
  return files as TlsOptions;
}

function checkHost(host: string, tls: TlsOptions | undefined): void {
  if (/^unix:\/\/\/.+/.test(host)) return;
  const match = /^tcp:\/\/(\[[^\]]+\]|[^:/]+):(\d+)$/.exec(host);
  const port = Number(match?.[2]);
  const address = match?.[1]?.replace(/^\[|\]$/g, '') ?? '';
  if (!match || port > 65_535 || (isIP(address) === 0 && address !== 'localhost')) {
    throw new OptionsError(`invalid bind address (${host}): use unix:///PATH or tcp://IP:PORT`);
  }
  if (!tls) {
    const why = 'whoever reaches the port would be root on this machine';
    throw new OptionsError(
      `${host}: a TCP listener needs --tlsverify, --tlscacert, --tlscert and --tlskey; ${why}`,
    );
  }
}

/** What could never match a device, a service would wait for in vain. */
function checkDevice(path: string): string {
  if (/^\/[^,\s]+$/.test(path)) return path;
  throw new OptionsError(`invalid device: ${path} is no absolute path`);
}

function checkMirror(url: string): string {
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new OptionsError(`invalid mirror: ${url} is no http or https URL`);
  }
  return url;
}

/** `base=10.10.0.0/16,size=24` of the flag, or `{"base": …, "size": …}` of the file. */
function pool(value: unknown): { base: string; size: number } {
  const fields =
    typeof value === 'string'
      ? Object.fromEntries(value.split(',').map((part) => part.split('=', 2)))
      : (value as Record<string, unknown>);
  const base = String(fields?.base ?? '');
  const size = Number(fields?.size);
  const [address = '', mask] = base.split('/');
  if (isIP(address) !== 4 || !(Number(mask) <= 32) || !(size >= Number(mask) && size <= 32)) {
    throw new OptionsError(
      `invalid default address pool: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
  }
  return { base, size };
}
