import { readdirSync, readFileSync } from 'node:fs';
import { exec, type Result, until } from './exec.ts';

const DIRECTORY = new URL('../answers/', import.meta.url);

/** A line of a scenario, to be said to both engines. */
export interface Line {
  /** A shell's command line with docker in it, or a request: `POST /services/create {}`. */
  said: string;
  /** What is waited for: the output of `said` becomes this. */
  until?: string;
  /** Why the answers differ, where they are known to. */
  difference?: string;
}

/**
 * The scenarios in the order of their files' names. A file has a command or request on each line; `until
 * COMMAND = OUTPUT` waits, `~ WHY` before a line says that its answers differ, `#` begins a comment. `@IP` is the
 * engine's address, `@FILES` the scenarios' own directory.
 */
export function scenarios(): { name: string; lines: Line[] }[] {
  return readdirSync(DIRECTORY)
    .filter((file) => file.endsWith('.txt'))
    .sort()
    .map((file) => ({
      name: file.replace('.txt', ''),
      lines: parse(readFileSync(new URL(file, DIRECTORY), 'utf8')),
    }));
}

function parse(text: string): Line[] {
  const lines: Line[] = [];
  let difference: string | undefined;
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('~ ')) {
      difference = line.slice(2);
      continue;
    }
    const [, awaited, output] = /^until (.*) = (.*)$/.exec(line) ?? [];
    lines.push({
      said: awaited ?? line,
      ...(output === undefined ? {} : { until: output }),
      ...(difference === undefined ? {} : { difference }),
    });
    difference = undefined;
  }
  return lines;
}

/** An engine that is asked. */
export interface Asked {
  socket: string;
  /** Address of its machine. */
  address: string;
  hostname: string;
}

/** The newest version of the API that Docker Engine 20.10 has: both engines are asked in it. */
const API_VERSION = '1.41';

/**
 * Runs a line as it stands, or makes its request. A command is run again where the engine itself wrote to the
 * object between the command's reading and its writing: whose turn it was is chance.
 */
export function say(engine: Asked, said: string): Promise<Result> {
  const [, method, path, body] = /^(GET|POST|DELETE) (\S+)(?: (.*))?$/.exec(said) ?? [];
  if (method !== undefined) {
    const data = body === undefined ? [] : ['-H', 'Content-Type: application/json', '-d', body];
    const url = `http://docker/v${API_VERSION}${path}`;
    const ask = ['-g', '-s', '-w', '\n%{http_code}', '--unix-socket', engine.socket];
    return exec('curl', [...ask, '-X', method, ...data, url]).then(canonical);
  }
  const env = {
    HOME: '/nonexistent',
    PATH: '/usr/bin:/bin', // Debian's client, of the version of Debian's engine
    DOCKER_HOST: `unix://${engine.socket}`,
    DOCKER_API_VERSION: API_VERSION,
  };
  const line = said.replaceAll('@IP', engine.address).replaceAll('@FILES', DIRECTORY.pathname);
  return until(
    () => exec('bash', ['-c', line], { env }),
    (result) => !result.stderr.includes('update out of sequence'),
  );
}

/** Output of curl whose JSON is written in one way: the order of fields means nothing. */
function canonical(result: Result): Result {
  const cut = result.stdout.lastIndexOf('\n');
  const [body, status] = [result.stdout.slice(0, cut), result.stdout.slice(cut + 1)];
  const json = body === '' ? '' : JSON.stringify(sorted(JSON.parse(body)), undefined, 1);
  return { ...result, stdout: `${status} ${json}` };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([name, field]) => [name, sorted(field)]));
}

/** What is never the same on two engines. */
const VARYING: [RegExp, string][] = [
  [/[0-9a-f]{64}/g, '(long id)'],
  [/\b[0-9a-z]{25}\b/g, '(id)'],
  [/\b(?=[a-z]*[0-9])[0-9a-z]{12}\b/g, '(short id)'],
  // One in fifty has no figure: it is known by its place.
  [/(?<=^|\.|"ID":")[0-9a-z]{12}(?=@|"| {2}|$)/gm, '(short id)'],
  [/\d{4}-\d\d-\d\d[T ][0-9:.]+(Z| \+0000 (UTC|utc))?/g, '(time)'],
  [/\b(About a|Less than a|\d+) (second|minute)s? ago/gi, '(time) ago'],
  [/SWMTKN-1-\S+/g, '(token)'],
  [/SWMKEY-1-\S+/g, '(key)'],
  [/"Index": ?\d+/g, '"Index": (index)'],
  [/-----BEGIN [\s\S]*?-----END CERTIFICATE-----/g, '(certificate)'],
  [/[A-Za-z0-9+/]{60,}=*/g, '(key)'],
  // Columns are as wide as what stands in them.
  [/ {2,}/g, '  '],
];

/** An answer without what differs between any two engines. */
export function comparable(engine: Asked, { code, stdout, stderr }: Result): string {
  const parts = [stdout, stderr && `error output: ${stderr}`, code && `exit code ${code}`];
  let text = parts.filter(Boolean).join('\n');
  text = text.replaceAll(engine.address, '(address)').replaceAll(engine.hostname, '(hostname)');
  for (const [pattern, name] of VARYING) text = text.replaceAll(pattern, name);
  return text;
}
