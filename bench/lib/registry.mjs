import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { run } from '../../scripts/lib.mjs';

const PORT = 5_000;
const MANIFEST_TYPE = 'application/vnd.docker.distribution.manifest.v2+json';

const digestOf = (data) => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/**
 * A registry that holds one image: what a task's pull asks. `enter` is the start of a command that
 * goes into the network namespace where `address` is.
 */
export async function startRegistry({ directory, address, enter = [] }, archive) {
  mkdirSync(directory, { recursive: true });
  const config = join(directory, 'config.yml');
  writeFileSync(
    config,
    JSON.stringify({
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(directory, 'data') } },
      http: { addr: `${address}:${PORT}` },
    }),
  );
  const [command, ...args] = [...enter, 'docker-registry', 'serve', config];
  const child = spawn(command, args, { stdio: 'ignore' });
  await upload({ enter, base: `http://${address}:${PORT}` }, unpack(archive, directory));
  return { reference: `${address}:${PORT}/bench/web:latest`, child };
}

/** Config and layers of an archive that `docker save` could have written. */
function unpack(archive, directory) {
  const unpacked = join(directory, 'image');
  mkdirSync(unpacked);
  run('tar', ['-xf', archive, '-C', unpacked]);
  const [image] = JSON.parse(readFileSync(join(unpacked, 'manifest.json'), 'utf8'));
  return {
    config: readFileSync(join(unpacked, image.Config)),
    layers: image.Layers.map((name) => gzipSync(readFileSync(join(unpacked, name)))),
  };
}

async function upload(registry, { config, layers }) {
  const describe = (mediaType, data) => ({ mediaType, size: data.length, digest: digestOf(data) });
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: describe('application/vnd.docker.container.image.v1+json', config),
    layers: layers.map((layer) =>
      describe('application/vnd.docker.image.rootfs.diff.tar.gzip', layer),
    ),
  };
  const put = (path, type, data) => curl(registry, 'PUT', path, type, data);
  for (let tries = 0; (await curl(registry, 'GET', '/v2/')).status !== 200; tries++) {
    if (tries > 100) throw new Error('docker-registry does not start');
    await sleep(50);
  }
  for (const blob of [config, ...layers]) {
    const { location } = await curl(registry, 'POST', '/v2/bench/web/blobs/uploads/');
    const path = new URL(location, registry.base);
    path.searchParams.set('digest', digestOf(blob));
    await put(path.pathname + path.search, 'application/octet-stream', blob);
  }
  await put('/v2/bench/web/manifests/latest', MANIFEST_TYPE, Buffer.from(JSON.stringify(manifest)));
}

/** A request from inside the namespace: a curl is as near as one gets without entering it. */
function curl({ enter, base }, method, path, type = 'application/json', data = Buffer.alloc(0)) {
  const head = ['-s', '-X', method, '-D', '-', '-o', '/dev/null', '-H', `Content-Type: ${type}`];
  const [command, ...args] = [...enter, 'curl', ...head, '--data-binary', '@-', `${base}${path}`];
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let answer = '';
    child.stdout.on('data', (chunk) => {
      answer += chunk;
    });
    child.on('error', reject);
    child.on('close', () => {
      const status = Number([...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].at(-1)?.[1] ?? 0);
      if (method === 'PUT' && status !== 201) return reject(new Error(`${path}: ${answer}`));
      resolve({ status, location: /^location: (.*)\r$/im.exec(answer)?.[1] });
    });
    child.stdin.on('error', () => {});
    child.stdin.end(data);
  });
}
