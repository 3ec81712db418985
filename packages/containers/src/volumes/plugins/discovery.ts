import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, parse } from 'node:path';
import { PLUGIN_SPEC_BYTES_MAX, PLUGINS_MAX } from './limits.js';

/** Where a plugin answers. */
export interface PluginAddress {
  /** `unix:///path`, `tcp://host:port`, `http://…` or `https://…`. */
  url: string;
  tls?: {
    verify: boolean;
    caFile?: string;
    certFile?: string;
    keyFile?: string;
  };
}

export interface PluginDirectories {
  /** Of sockets. */
  sockets: string;
  /** Of `.spec` and `.json` files. */
  specs: readonly string[];
}

/** Docker's, so that plugins need not know who asks them. */
export const PLUGIN_DIRECTORIES: PluginDirectories = {
  sockets: '/run/docker/plugins',
  specs: ['/etc/docker/plugins', '/usr/lib/docker/plugins'],
};

/** Only what can be a file's name may be looked for below the directories. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** The plugin of a name: a socket first, then what a file says. Throws where the file is damaged. */
export function findPlugin(
  directories: PluginDirectories,
  name: string,
): PluginAddress | undefined {
  if (!NAME.test(name)) return undefined;
  const socket = candidates([directories.sockets], name, ['.sock']).find(isSocket);
  if (socket) return { url: `unix://${socket}` };
  const file = candidates(directories.specs, name, ['.spec', '.json']).find(isFile);
  if (!file) return undefined;
  const text = readSmall(file);
  return file.endsWith('.json') ? readJson(text) : { url: checkUrl(text.trim()) };
}

/** Names of all plugins there are, dead ones included. */
export function pluginNames({ sockets, specs }: PluginDirectories): string[] {
  const names = new Set<string>();
  for (const path of filesBelow(sockets)) if (isSocket(path)) names.add(parse(path).name);
  for (const directory of specs) {
    for (const path of filesBelow(directory)) {
      if (['.spec', '.json'].includes(parse(path).ext)) names.add(parse(path).name);
    }
  }
  return [...names]
    .filter((name) => NAME.test(name))
    .sort()
    .slice(0, PLUGINS_MAX);
}

/** `NAME.EXT` and `NAME/NAME.EXT` in each directory. */
function candidates(directories: readonly string[], name: string, extensions: string[]): string[] {
  return directories.flatMap((directory) =>
    extensions.flatMap((extension) => [
      join(directory, name + extension),
      join(directory, name, name + extension),
    ]),
  );
}

function filesBelow(directory: string): string[] {
  const entries = list(directory);
  const inside = entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => list(join(directory, name)).map((file) => join(name, file.name)));
  const own = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  return [...own, ...inside].map((path) => join(directory, path));
}

function list(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return []; // none are installed
  }
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function readSmall(path: string): string {
  if (statSync(path).size > PLUGIN_SPEC_BYTES_MAX) throw new Error(`${path} is too large`);
  return readFileSync(path, 'utf8');
}

interface PluginJson {
  Addr?: string;
  TLSConfig?: {
    InsecureSkipVerify?: boolean;
    CAFile?: string;
    CertFile?: string;
    KeyFile?: string;
  };
}

/** Without an authority to check it by, any certificate is taken, as under Docker. */
function readJson(text: string): PluginAddress {
  const { Addr = '', TLSConfig } = JSON.parse(text) as PluginJson;
  const url = checkUrl(Addr);
  if (!TLSConfig) return { url };
  const { CAFile, CertFile, InsecureSkipVerify, KeyFile } = TLSConfig;
  return {
    url,
    tls: {
      verify: Boolean(CAFile) && !InsecureSkipVerify,
      ...(CAFile ? { caFile: CAFile } : {}),
      ...(CertFile ? { certFile: CertFile } : {}),
      ...(KeyFile ? { keyFile: KeyFile } : {}),
    },
  };
}

function checkUrl(text: string): string {
  if (/^(unix:\/\/\/.+|(tcp|http|https):\/\/[^/]+)/.test(text)) return text;
  throw new Error(text.includes('://') ? `invalid address: ${text}` : 'Unknown protocol');
}
