import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestDaemon } from './support/daemon.ts';
import { exec, type Result } from './support/exec.ts';

const SKEPD = new URL('../bin/skepd', import.meta.url).pathname;

describe('skepd does not start', () => {
  let node: TestDaemon;
  beforeAll(async () => {
    node = new TestDaemon();
    await node.prepare();
    await node.start();
  });
  afterAll(() => node?.cleanUp());

  /** A second daemon in the namespace of the first. */
  const start = (name: string, flags: string[], env = process.env): Promise<Result> => {
    const roots = ['--data-root', join(node.directory, name)];
    const exec2 = ['--exec-root', join(node.directory, `${name}-run`)];
    const inside = [`--net=/run/netns/${node.namespace}`, SKEPD];
    return exec('/usr/bin/nsenter', [...inside, ...roots, ...exec2, ...flags], { env });
  };
  const line = (text: string | RegExp) => ({
    code: 1,
    stdout: expect.any(String),
    stderr: typeof text === 'string' ? `skepd: ${text}\n` : expect.stringMatching(text),
  });

  it('on a data root that another one has', async () => {
    const text = `data root ${node.dataRoot} is in use by another skepd`;
    expect(await start('data', [])).toEqual(line(new RegExp(`^skepd: ${text} \\(pid \\d+\\)\n$`)));
    expect(await node.docker('ps', '-q')).toBe('');
  });

  it.each([
    [['--nothing'], /^skepd: Unknown option '--nothing'\nSee 'skepd --help'\.\n$/],
    [['--log-level', 'loud'], /^skepd: invalid logging level: loud \(one of .*\)\n$/],
    [['-H', 'tcp://0.0.0.0:2375'], /a TCP listener needs --tlsverify/],
    [['-H', 'nowhere'], /^skepd: invalid bind address \(nowhere\): use .*\n$/],
    [['--registry-mirror', 'x'], /^skepd: invalid mirror: x is no http or https URL\n$/],
    [['--config-file', '/no/such.json'], /unable to configure the daemon with file .*: ENOENT/],
  ])('with %s', async (flags, text) => {
    expect(await start('other', flags)).toEqual(line(text));
  });

  it.each([
    ['{"debug":', /unable to configure the daemon with file .*: .*JSON/],
    ['[]', /^skepd: the configuration file must hold a JSON object\n$/],
    ['{"nothing": 1}', /the following directives don't match any configuration option: nothing/],
    ['{"hosts": "unix:///x"}', /^skepd: configuration file: hosts must be a list\n$/],
    ['{"data-root": "/x"}', /specified both as a flag and in the configuration file: data-root/],
  ])('with the configuration file %s', async (content, text) => {
    const file = join(node.directory, 'daemon.json');
    writeFileSync(file, content);
    expect(await start('other', ['--config-file', file])).toEqual(line(text));
  });

  it('without a containerd to start', async () => {
    const programs = join(node.directory, 'programs');
    mkdirSync(programs);
    for (const name of readdirSync('/usr/bin')) {
      if (['dirname', 'readlink', 'sh', 'ip', 'nft'].includes(name)) {
        symlinkSync(join('/usr/bin', name), join(programs, name));
      }
    }
    symlinkSync(process.execPath, join(programs, 'node'));
    expect(await start('without', [], { PATH: programs })).toEqual(
      line('containerd cannot be started: no program "containerd" is found'),
    );
  });

  it('with a containerd that does not answer', async () => {
    const socket = join(node.directory, 'nobody.sock');
    expect(await start('dead', ['--containerd', socket])).toEqual(
      line(`containerd does not answer at ${socket} within 10 s`),
    );
  });
});
