import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { must } from './exec.ts';
import { buildImage, dockerArchive, type ImageFile, variantOf } from './image.ts';
import { tree, withLibraries } from './programs.ts';

/**
 * The images of the tutorials' applications: Redis and PostgreSQL as Debian has them, and small
 * programs in the place of the tutorials' own, which speak to them by their own clients.
 */

const ROOT = new URL('../..', import.meta.url).pathname;
const SCRIPTS = new URL('./tutorial/', import.meta.url).pathname;

/** Debian packages whose files are in the images. */
const PACKAGES = ['redis-server', 'redis-tools', 'postgresql-*', 'libc6', 'busybox-static'];

const SERVE = ['busybox', 'httpd', '-f', '-p', '80', '-h', '/www'];
/** A shell or busybox as process 1 ignores SIGTERM. */
const AT_ONCE = { StopSignal: 'SIGKILL' };

/** A page: what its script writes. */
const page = (name: string) => ({
  Cmd: [
    'sh',
    '-c',
    `busybox ln -s /tutorial/${name}.sh /www/cgi-bin/index.cgi; exec ${SERVE.join(' ')}`,
  ],
  ExposedPorts: { '80/tcp': {} },
  ...AT_ONCE,
});

const IMAGES: Record<string, Record<string, unknown>> = {
  'skep/redis': {
    Cmd: ['redis-server', '--bind', '0.0.0.0', '--protected-mode', 'no', '--save', ''],
  },
  'skep/postgres': { Cmd: ['sh', '/tutorial/postgres.sh'], StopSignal: 'SIGINT' },
  'skep/drupal': page('drupal'),
  'skep/vote': page('vote'),
  'skep/worker': { Cmd: ['sh', '/tutorial/worker.sh'], ...AT_ONCE },
  'skep/result': page('result'),
};

/** Path of an archive of all of them for `docker load`; made when these packages are new. */
export async function tutorialArchive(): Promise<string> {
  const archive = `${ROOT}.build/tutorial-images-${await fingerprint()}.tar`;
  if (existsSync(archive)) return archive;
  mkdirSync(`${ROOT}.build`, { recursive: true });
  const base = await buildImage({ files: await rootFiles() });
  const variants = Object.entries(IMAGES).map(([name, config]) => {
    const Env = [`PATH=/bin:/usr/bin:${postgresDirectory()}/bin`];
    return variantOf(base, `${name}:latest`, { Env, ...config });
  });
  writeFileSync(`${archive}.part`, await dockerArchive(variants));
  renameSync(`${archive}.part`, archive);
  return archive;
}

/** Changes with the packages and with what is in this folder. */
async function fingerprint(): Promise<string> {
  const digest = createHash('sha256');
  digest.update(await must('dpkg-query', ['-W', ...PACKAGES]));
  const sources = [import.meta.filename, ...Object.keys(tree(SCRIPTS))];
  for (const path of sources) digest.update(readFileSync(path));
  return digest.digest('hex').slice(0, 12);
}

/** `/usr/lib/postgresql/15` */
function postgresDirectory(): string {
  const versions = readdirSync('/usr/lib/postgresql').map(Number);
  return `/usr/lib/postgresql/${Math.max(...versions)}`;
}

async function rootFiles(): Promise<Record<string, string | ImageFile>> {
  const postgres = postgresDirectory();
  const inPostgres = ['bin/postgres', 'bin/initdb', 'bin/psql'];
  const modules = ['lib/plpgsql.so', 'lib/dict_snowball.so'];
  const paths = [...inPostgres, ...modules].map((path) => `${postgres}/${path}`);
  const programs = await withLibraries(['/usr/bin/redis-server', '/usr/bin/redis-cli', ...paths]);
  const scripts = Object.entries(tree(SCRIPTS)).map(([path, { content }]) => {
    return [`/tutorial/${path.slice(SCRIPTS.length)}`, { content, mode: 0o755 }] as const;
  });
  return {
    ...programs,
    ...tree(postgres.replace('/usr/lib', '/usr/share')),
    ...Object.fromEntries(scripts),
    '/etc/passwd': 'root:x:0:0:root:/:/bin/sh\npostgres:x:70:70::/:/bin/sh\n',
    '/etc/group': 'root:x:0:\npostgres:x:70:\n',
    '/www/cgi-bin/.keep': '',
  };
}
