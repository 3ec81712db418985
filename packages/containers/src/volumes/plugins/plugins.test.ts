import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimClock, silentLogger } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPlugin, type PluginDirectories, pluginNames } from './discovery.js';
import { PLUGIN_ANSWER_BYTES_MAX } from './limits.js';
import { VolumePlugins } from './plugins.js';
import { HttpPluginTransport } from './transport.js';

let root: string;
let directories: PluginDirectories;
let servers: Server[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skep-plugins-'));
  directories = { sockets: join(root, 'run'), specs: [join(root, 'etc'), join(root, 'usr')] };
  for (const directory of [directories.sockets, ...directories.specs]) mkdirSync(directory);
  servers = [];
});

afterEach(() => {
  for (const server of servers) server.close();
  rmSync(root, { recursive: true, force: true });
});

/** A program that answers each method with what is given for it, on a socket. */
async function serve(name: string, answers: Record<string, object | string>): Promise<void> {
  const server = createServer((request, response) => {
    const answer = answers[request.url?.slice(1) ?? ''] ?? { Err: 'not implemented' };
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  });
  servers.push(server);
  const path = join(directories.sockets, `${name}.sock`);
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

const open = () =>
  new VolumePlugins({
    directories,
    transport: new HttpPluginTransport(),
    clock: new SimClock(),
    logger: silentLogger,
  });

describe('plugins', () => {
  it('are found by sockets and by files, in directories of their own too', async () => {
    await serve('live', {});
    writeFileSync(join(directories.specs[0]!, 'one.spec'), 'unix:///one.sock\n');
    mkdirSync(join(directories.specs[1]!, 'two'));
    const json = { Name: 'x', Addr: 'https://h:1', TLSConfig: { CAFile: '/ca', CertFile: '/c' } };
    writeFileSync(join(directories.specs[1]!, 'two/two.json'), JSON.stringify(json));
    writeFileSync(join(directories.specs[0]!, 'bad.spec'), 'somewhere');
    writeFileSync(join(directories.specs[0]!, 'readme.txt'), '');
    expect(pluginNames(directories)).toEqual(['bad', 'live', 'one', 'two']);
    expect(findPlugin(directories, 'live')?.url).toBe(`unix://${root}/run/live.sock`);
    expect(findPlugin(directories, 'one')).toEqual({ url: 'unix:///one.sock' });
    expect(findPlugin(directories, 'two')).toEqual({
      url: 'https://h:1',
      tls: { verify: true, caFile: '/ca', certFile: '/c' },
    });
    expect(() => findPlugin(directories, 'bad')).toThrow('Unknown protocol');
    expect(findPlugin(directories, '../etc/one')).toBeUndefined();
    expect(findPlugin(directories, 'none')).toBeUndefined();
  });

  it('are asked who they are', async () => {
    await serve('volumes', { 'Plugin.Activate': { Implements: ['VolumeDriver'] } });
    await serve('networks', { 'Plugin.Activate': { Implements: ['NetworkDriver'] } });
    const plugins = open();
    const driver = await plugins.driver('volumes');
    expect(driver).toMatchObject({ name: 'volumes', scope: 'local' });
    expect(await driver.get('x')).toBeUndefined();
    await expect(plugins.driver('networks')).rejects.toThrow(
      'error looking up volume plugin networks: Plugin does not implement the requested driver',
    );
    await expect(plugins.driver('none')).rejects.toThrow(
      'error looking up volume plugin none: plugin "none" not found',
    );
    expect((await plugins.all()).map(({ name }) => name)).toEqual(['volumes']);
  });

  it('that are dead are left out', async () => {
    writeFileSync(join(directories.specs[0]!, 'dead.spec'), `unix://${root}/nobody.sock`);
    expect(await open().all()).toEqual([]);
  });

  it('cannot fill memory', async () => {
    await serve('endless', { 'Plugin.Activate': 'x'.repeat(PLUGIN_ANSWER_BYTES_MAX + 1) });
    const address = { url: `unix://${join(directories.sockets, 'endless.sock')}` };
    const answer = new HttpPluginTransport().post(address, 'Plugin.Activate', '{}', 5_000);
    await expect(answer).rejects.toThrow('the answer is too long');
  });

  it('that do not answer in time are given up', async () => {
    const silent = createServer(() => {});
    servers.push(silent);
    const path = join(directories.sockets, 'silent.sock');
    await new Promise<void>((resolve) => silent.listen(path, resolve));
    const answer = new HttpPluginTransport().post({ url: `unix://${path}` }, 'X', '{}', 10);
    await expect(answer).rejects.toThrow(`Post "unix://${path}/X": no answer within 0.01 s`);
    silent.closeAllConnections();
  });
});
