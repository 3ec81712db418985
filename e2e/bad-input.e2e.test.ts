import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { exec } from './support/exec.ts';
import { buildImage, dockerArchive, makeTar } from './support/image.ts';
import { IMAGE, sampleArchive } from './support/sample.ts';
import { startNode } from './support/swarm.ts';

let node: TestDaemon;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node?.cleanUp());

const MIB = 1024 * 1024;
const TOO_LARGE_BYTES = 9 * MIB;

/** Posts JSON, from a file as it may be large. */
async function post(path: string, body: string): Promise<{ status: number; message: string }> {
  const file = join(node.directory, 'body.json');
  writeFileSync(file, body);
  const options = ['-s', '--unix-socket', node.socket, '-w', '\n%{http_code}'];
  const data = ['-H', 'Content-Type: application/json', '--data-binary', `@${file}`];
  const { stdout } = await exec('curl', [...options, ...data, `http://skep${path}`]);
  const [text = '', status] = stdout.split('\n');
  return { status: Number(status), message: JSON.parse(text).message };
}

const refused = (status: number, text: string | RegExp) => ({
  status,
  message: typeof text === 'string' ? expect.stringContaining(text) : expect.stringMatching(text),
});

describe('a request', () => {
  const BODIES = [
    '/services/create',
    '/containers/create',
    '/volumes/create',
    '/configs/create',
    '/auth',
    '/swarm/update?version=1',
    '/containers/any/exec',
  ];

  it.each(BODIES)('with JSON cut off is refused: %s', async (path) => {
    expect(await post(path, '{"Name": "x", "Lab')).toEqual(refused(400, 'invalid JSON: '));
  });

  it.each(BODIES)('that is too large is refused before it is read: %s', async (path) => {
    const body = JSON.stringify({ Name: 'x'.repeat(TOO_LARGE_BYTES) });
    expect(await post(path, body)).toEqual(refused(413, 'Request body is too large'));
  });

  it('that is too large is answered, not cut off, as the client sees it', async () => {
    const lines = Array.from({ length: 1_200 }, (_, at) => `A${at}=${'x'.repeat(10_000)}`);
    const file = join(node.directory, 'environment');
    writeFileSync(file, lines.join('\n'));
    for (let round = 0; round < 5; round++) {
      expect(await node.dockerFails('create', '--env-file', file, IMAGE)).toBe(
        'Error response from daemon: Request body is too large',
      );
    }
  });

  const container = (fields: object, hostConfig = {}) =>
    JSON.stringify({ Image: IMAGE, ...fields, HostConfig: hostConfig });
  it.each([
    ['/services/create', '[]', 'array into Go struct field ServiceSpec of type object'],
    ['/services/create', '{"Name":5}', 'number 5 into Go struct field ServiceSpec.Name'],
    ['/configs/create', '{"Data":5}', 'number 5 into Go struct field ConfigSpec.Data'],
    ['/containers/create', '[]', 'array into Go struct field ContainerConfig of type struct'],
    ['/containers/create', '{"Image":7}', 'number into Go struct field ContainerConfig.Image'],
    [
      '/containers/create',
      container({ Env: 'A=b' }),
      'string into Go struct field ContainerConfig.Env',
    ],
    [
      '/containers/create',
      container({ Env: [3] }),
      'number into Go struct field ContainerConfig.Env',
    ],
    ['/containers/create', container({ Cmd: 7 }), 'ContainerConfig.Cmd of type []string'],
    ['/containers/create', container({}, { Memory: '6m' }), 'HostConfig.Memory of type int64'],
    ['/containers/create', container({}, { Binds: [1] }), 'HostConfig.Binds of type string'],
    [
      '/containers/create',
      container({}, { PortBindings: { '80/tcp': [{ HostPort: 80 }] } }),
      'HostConfig.PortBindings.HostPort of type string',
    ],
    ['/containers/any/exec', '{"Cmd":"x"}', 'ExecOptions.Cmd of type []string'],
    ['/volumes/create', '{"Name":5}', 'CreateOptions.Name of type string'],
    ['/auth', '{"username":5}', 'AuthConfig.username of type string'],
  ])('with a value of another type is refused: POST %s %s', async (path, body, text) => {
    expect(await post(path, body)).toEqual(refused(400, text));
  });

  it('leaves nothing behind when it is refused', async () => {
    expect(await node.docker('ps', '-aq')).toBe('');
    expect(await node.docker('volume', 'ls', '-q')).toBe('');
    expect(await node.docker('config', 'ls', '-q')).toBe('');
  });

  it('for a page that is not there, or in a version we do not speak, is told so', async () => {
    const ask = async (method: string, path: string) => {
      const { status, body } = await node.request(method, path);
      return [status, JSON.parse(body).message];
    };
    for (const path of ['/nothing', '/v1.41/nothing', '/vX/info', '/containers/x/nothing']) {
      expect(await ask('GET', path)).toEqual([404, 'page not found']);
    }
    expect(await ask('DELETE', '/info')).toEqual([404, 'page not found']);
    expect(await ask('GET', '/v1.99/info')).toEqual([
      400,
      'client version 1.99 is too new. Maximum supported API version is 1.51',
    ]);
    expect(await ask('GET', '/v1.10/info')).toEqual([
      400,
      expect.stringMatching(/^client version 1\.10 is too old\. Minimum supported API version is/),
    ]);
    expect((await ask('GET', '/%zz'))[0]).toBe(400);
    expect(await ask('GET', '/tasks?filters=x')).toEqual([400, 'invalid filter: x']);
    expect(await ask('GET', '/containers/json?limit=x')).toEqual([
      400,
      'strconv.Atoi: parsing "x": invalid syntax',
    ]);
  });
});

describe('docker run', () => {
  it.each([
    ['a port out of range', ['-p', '99999:80'], /invalid (hostPort|host port|port specification)/i],
    ['a port that is none', ['-p', 'x:80'], /invalid (hostPort|host port|port specification)/i],
    ['a mount of no type', ['--mount', 'type=x,target=/x'], /invalid|unknown|unsupported/],
    [
      'a bind mount of nothing',
      ['--mount', 'type=bind,source=/no/such/place,target=/x'],
      'invalid mount config for type "bind": bind source path does not exist: /no/such/place',
    ],
    ['a relative target', ['-v', '/tmp:x'], 'mount path must be absolute'],
    ['too little memory', ['-m', '1m'], 'Minimum memory limit allowed is 6MB'],
    ['memory that is none', ['-m', 'x'], /invalid (argument|size)/],
    ['too many processors', ['--cpus', '1000'], /range of CPUs is from 0\.01 to \d+\.00/],
    [
      'an invalid name',
      ['--name', '-x'],
      'Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
    ],
    ['a variable without a name', ['-e', '=x'], 'invalid environment variable: =x'],
    ['an unknown log driver', ['--log-driver', 'x'], "no log driver named 'x' is registered"],
    ['an unknown log option', ['--log-opt', 'x=y'], "unknown log opt 'x' for json-file log driver"],
    ['an unknown restart policy', ['--restart', 'x'], /invalid restart policy: unknown policy 'x'/],
    ['--rm with a restart policy', ['--rm', '--restart', 'always'], /conflicting options/i],
    ['an unknown capability', ['--cap-add', 'FLY'], /invalid capability: "(CAP_)?FLY"/],
    ['a relative working directory', ['-w', 'x'], "the working directory 'x' is invalid"],
    ['an unknown stop signal', ['--stop-signal', 'SIGX'], /invalid signal: SIGX/],
    ['mounts of nobody', ['--volumes-from', 'nobody'], 'No such container: nobody'],
    ['a volume driver', ['-v', 'a1:/a', '--volume-driver', 'x'], 'plugin "x" not found'],
    ['a graphics card', ['--gpus', 'all'], '--gpus is not supported by this engine'],
    ['an unknown runtime', ['--runtime', 'x'], 'unknown or invalid runtime name: x'],
    ['a health check every nanosecond', ['--health-cmd', 'x', '--health-interval', '1ns'], /1ms/],
  ])('refuses %s', async (_, args, text) => {
    const result = await node.dockerResult(['run', '-d', ...args, IMAGE]);
    expect([result.code, result.stderr]).toEqual([125, expect.stringMatching(pattern(text))]);
    expect(await node.docker('ps', '-aq')).toBe('');
  });

  it('finds no unknown network when it starts, and leaves what it made, as Docker does', async () => {
    const said = await node.dockerFails(
      'run',
      '-d',
      '--name',
      'lost',
      '--network',
      'none-such',
      IMAGE,
    );
    expect(said).toContain('network none-such not found');
    const status = await node.docker('inspect', 'lost', '-f', '{{.State.Status}}');
    expect(status).toBe('created');
    await node.docker('rm', 'lost');
  });

  it('refuses a name that is taken', async () => {
    const id = await node.docker('create', '--name', 'taken', IMAGE);
    expect(await node.dockerFails('run', '--name', 'taken', IMAGE)).toContain(
      `Conflict. The container name "/taken" is already in use by container "${id}". ` +
        'You have to remove (or rename) that container to be able to reuse that name.',
    );
    await node.docker('rm', 'taken');
  });
});

function pattern(text: string | RegExp): RegExp {
  return typeof text === 'string' ? new RegExp(text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')) : text;
}

describe('docker load', () => {
  /** Everything the images are made of, after a collection of garbage. */
  async function stored(): Promise<string> {
    const ctr = (...args: string[]) =>
      exec('ctr', ['-a', join(node.execRoot, 'containerd/containerd.sock'), '-n', 'skep', ...args]);
    await ctr('leases', 'create', '--id', 'collect');
    await ctr('leases', 'rm', '--sync', 'collect');
    const lists = [
      ['images', 'ls'],
      ['content', 'ls', '-q'],
      ['leases', 'ls'],
      ['snapshots', 'ls'],
    ];
    const answers = await Promise.all(lists.map((list) => ctr(...list)));
    for (const { code, stderr } of answers) if (code !== 0) throw new Error(stderr);
    return answers.map(({ stdout }) => stdout.replace(/\d+ (seconds?|minutes?)/g, '')).join();
  }

  const whole = () => readFileSync(sampleArchive());
  const corrupt = async () => {
    const image = await buildImage({ name: 'corrupt:1', files: { '/a': 'a' } });
    const tar = await makeTar([{ name: 'b', data: Buffer.from('b') }]);
    return dockerArchive([{ ...image, layers: image.layers.map((layer) => ({ ...layer, tar })) }]);
  };
  it.each([
    ['cut off', async () => whole().subarray(0, whole().length / 2), 'unexpected EOF'],
    ['no tar', async () => Buffer.from('no tar '.repeat(1_000)), 'invalid tar header'],
    ['of zeros', async () => Buffer.alloc(MIB), /invalid|manifest/],
    ['empty', async () => Buffer.alloc(0), /invalid|EOF/],
    ['not what its config says', corrupt, 'wrong diff id calculated on extraction'],
  ])('refuses an archive that is %s, and keeps nothing of it', async (_, make, text) => {
    const file = join(node.directory, 'archive.tar');
    writeFileSync(file, await make());
    const before = await stored();
    expect(await node.dockerFails('load', '-i', file)).toMatch(pattern(text));
    expect(await stored()).toBe(before);
  });
});
