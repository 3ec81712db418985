// Makes the sample image, without internet, from Debian's busybox-static: a web server that tells its
// container's name. The result is an archive as `docker save` writes it, for `docker load`.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { output, root, run } from './lib.mjs';

export const SAMPLE_IMAGE = 'skep/web:latest';

const SERVE = 'echo "Hello from $(hostname)" > /www/index.html; exec httpd -f -p 80 -h /www';
const ARCHITECTURES = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ppc64: 'ppc64le',
  s390x: 's390x',
};
/** The same bytes each time: files carry this date. */
const FILE_DATE = '2026-01-01 00:00:00Z';

function sha256(data) {
  return createHash('sha256').update(data).digest('hex');
}

/** Packs a directory in a repeatable way. */
function pack(directory, archive) {
  const same = ['--sort=name', `--mtime=${FILE_DATE}`, '--owner=0', '--group=0', '--numeric-owner'];
  run('tar', [...same, '--format=gnu', '-C', directory, '-cf', archive, '.']);
}

function makeRootFileSystem(directory) {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'www']) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(directory, 'bin/busybox'));
  for (const applet of output('/bin/busybox', ['--list']).split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(directory, 'bin', applet));
  }
  writeFileSync(
    join(directory, 'etc/passwd'),
    'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n',
  );
  writeFileSync(join(directory, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
}

/** Path of the archive; made when it is not there yet. */
export function sampleImage() {
  const archive = join(root, '.build/sample-image.tar');
  if (existsSync(archive)) return archive;
  if (!existsSync('/bin/busybox'))
    throw new Error('/bin/busybox is missing (Debian: busybox-static)');
  const work = mkdtempSync(join(tmpdir(), 'skep-image-'));
  try {
    makeRootFileSystem(join(work, 'rootfs'));
    const image = join(work, 'image');
    mkdirSync(join(image, 'layer'), { recursive: true });
    pack(join(work, 'rootfs'), join(image, 'layer/layer.tar'));
    const config = JSON.stringify({
      architecture: ARCHITECTURES[process.arch] ?? process.arch,
      os: 'linux',
      created: '2026-01-01T00:00:00Z',
      config: {
        Cmd: ['sh', '-c', SERVE],
        Env: ['PATH=/bin'],
        ExposedPorts: { '80/tcp': {} },
        // As process 1, busybox ignores SIGTERM; it has nothing to put in order before it ends.
        StopSignal: 'SIGKILL',
      },
      rootfs: {
        type: 'layers',
        diff_ids: [`sha256:${sha256(readFileSync(join(image, 'layer/layer.tar')))}`],
      },
      history: [{ created: '2026-01-01T00:00:00Z', created_by: 'busybox-static of Debian' }],
    });
    const configName = `${sha256(config)}.json`;
    writeFileSync(join(image, configName), config);
    const manifest = [
      { Config: configName, RepoTags: [SAMPLE_IMAGE], Layers: ['layer/layer.tar'] },
    ];
    writeFileSync(join(image, 'manifest.json'), JSON.stringify(manifest));
    mkdirSync(join(root, '.build'), { recursive: true });
    pack(image, `${archive}.part`);
    renameSync(`${archive}.part`, archive);
    return archive;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
