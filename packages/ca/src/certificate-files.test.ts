import { createPrivateKey } from 'node:crypto';
import { SimDisk, SimRandom } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { CertificateFiles } from './certificate-files.js';
import { createNodeRequest } from './node-certificate.js';

const credentials = (name: string) => ({
  certificatePem: `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`,
  keyPem: createNodeRequest().keyPem,
});

describe('CertificateFiles', () => {
  let disk: SimDisk;
  let files: CertificateFiles;

  beforeEach(() => {
    disk = new SimDisk();
    files = new CertificateFiles(disk, '/var/lib/skep/swarm');
  });

  it('has nothing at first, and then what was saved', async () => {
    expect(await files.loadRoot()).toBeUndefined();
    expect(await files.loadNode()).toBeUndefined();
    const node = credentials('AAAA');
    await files.saveRoot('root');
    await files.saveNode(node);
    disk.crash();
    expect(await files.loadRoot()).toBe('root');
    expect(await files.loadNode()).toEqual(node);
  });

  it('names and protects files as Docker does', async () => {
    await files.saveRoot('root');
    await files.saveNode(credentials('AAAA'));
    const directory = '/var/lib/skep/swarm/certificates';
    const names = ['swarm-node.crt', 'swarm-node.key', 'swarm-root-ca.crt'];
    expect(await disk.list(directory)).toEqual(names);
    const modes = names.map((name) => disk.modeOf(`${directory}/${name}`));
    expect(modes).toEqual([0o644, 0o600, 0o644]);
    const key = Buffer.from(await disk.readFile(`${directory}/swarm-node.key`)).toString();
    expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----\nkek-version: 0\n\n/);
  });

  it('never mixes an old certificate with a new key, wherever the power goes', async () => {
    const [before, after] = [credentials('AAAA'), credentials('BBBB')];
    const seen = new Set<string>();
    for (let step = 1; step <= 30; step++) {
      disk = new SimDisk();
      files = new CertificateFiles(disk, '/swarm');
      await files.saveNode(before);
      disk.cutPowerAt(disk.operations + step);
      const isSaved = await files.saveNode(after).then(
        () => true,
        () => false,
      );
      disk.crash({ random: new SimRandom(step) });
      const found = await files.loadNode();
      expect(found).toEqual(
        isSaved || found?.certificatePem === after.certificatePem ? after : before,
      );
      createPrivateKey(found?.keyPem ?? '');
      seen.add(found?.certificatePem ?? '');
    }
    expect(seen.size).toBe(2);
  });
});
