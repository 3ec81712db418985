import { createPrivateKey } from 'node:crypto';
import { SimDisk, SimRandom } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { CertificateFiles } from './certificate-files.js';
import { createNodeRequest } from './node-certificate.js';
import { newUnlockKey } from './unlock-key.js';

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
      expect(found).not.toBe('locked');
      const { certificatePem = '', keyPem = '' } = found === 'locked' ? {} : (found ?? {});
      expect(found).toEqual(isSaved || certificatePem === after.certificatePem ? after : before);
      createPrivateKey(keyPem);
      seen.add(certificatePem);
    }
    expect(seen.size).toBe(2);
  });
});

/**
 * A key file as dockerd writes it with autolock: PBKDF2 with HMAC-SHA1, 2048 rounds; key of 32
 * bytes 7.
 */
const DOCKERD_KEY = `-----BEGIN ENCRYPTED PRIVATE KEY-----
kek-version: 23
raft-dek: EAEYAA==

MIHeMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAhq6PlP0drKZgICCAAw
HQYJYIZIAWUDBAEqBBA96b1grFJoU+KJiV8LQdYeBIGQwHmRjmlsmnsfhILWDH3j
laYnmoqM5sPIDKugvwXffRD+eGIBHXIIADCT0Y8E9Eq7A0unFp4I5s+sRGed82at
xyxVsjioQLBeu18WOa1bR+6+zLvZFKBIoN7GSwaMX5HkJoxnJPiDwAY9HN+xFS8q
yNEwpvW8+2QjT6SRPuEXvkF7JhSVMzzZHBAuxfiLVCrk
-----END ENCRYPTED PRIVATE KEY-----
`;

describe('CertificateFiles with an unlock key', () => {
  const random = new SimRandom(7);
  const [keyA, keyB] = [newUnlockKey(random), newUnlockKey(random)];
  const keyPath = '/swarm/certificates/swarm-node.key';
  const node = credentials('AAAA');
  let disk: SimDisk;
  let files: CertificateFiles;

  const open = () => new CertificateFiles(disk, '/swarm', random);
  const keyFile = async () => Buffer.from(await disk.readFile(keyPath)).toString();

  beforeEach(async () => {
    disk = new SimDisk();
    files = open();
    await files.saveNode(node);
  });

  it('encrypts the key, and is locked without it or with another', async () => {
    expect(await files.rekey({ unlockKey: keyA, version: 12n })).toEqual({
      replaces: true,
      locksNow: true,
    });
    expect(await keyFile()).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\nkek-version: 12\n/);
    expect(await open().loadNode()).toBe('locked');
    expect(await open().loadNode(keyB)).toBe('locked');
    const again = open();
    expect(await again.loadNode(keyA)).toEqual(node);
    expect(again.protection).toEqual({ unlockKey: keyA, version: 12n });
    expect(disk.modeOf(keyPath)).toBe(0o600);
  });

  it('keeps to the key when the certificate is renewed, and never writes it open', async () => {
    await files.rekey({ unlockKey: keyA, version: 12n });
    const renewed = credentials('BBBB');
    await files.saveNode(renewed);
    expect(await open().loadNode()).toBe('locked');
    expect(await open().loadNode(keyA)).toEqual(renewed);
    disk = new SimDisk();
    await open().saveNode(node, { unlockKey: keyA, version: 3n });
    expect(await open().loadNode()).toBe('locked');
  });

  it('changes the key, remembers the one before for a while, and opens up again', async () => {
    await files.rekey({ unlockKey: keyA, version: 12n });
    expect(files.previous).toEqual({ unlockKey: undefined });
    files = open();
    await files.loadNode(keyA);
    const again = await files.rekey({ unlockKey: keyA, version: 12n });
    expect(again).toEqual({ replaces: false, locksNow: true });
    await files.settleRekey();
    const settled = await files.rekey({ unlockKey: keyA, version: 12n });
    expect(settled).toEqual({ replaces: false, locksNow: false });
    await files.rekey({ unlockKey: keyB, version: 13n });
    expect(await keyFile()).not.toContain(Buffer.from(keyA).toString('base64'));
    files = open();
    expect(await files.loadNode(keyA)).toBe('locked');
    expect(await files.loadNode(keyB)).toEqual(node);
    expect(files.previous).toEqual({ unlockKey: keyA });
    await files.settleRekey();
    expect(await keyFile()).not.toContain('previous');
    await files.rekey({ unlockKey: undefined, version: 14n });
    files = open();
    expect(await files.loadNode()).toEqual(node);
    expect(files.previous).toEqual({ unlockKey: keyB });
    await files.settleRekey();
    expect(await keyFile()).toMatch(/^-----BEGIN PRIVATE KEY-----\nkek-version: 14\n\n/);
  });

  it('still names the oldest key when a second change overtakes the first', async () => {
    await files.saveNode(node, { unlockKey: keyA, version: 2n });
    await files.rekey({ unlockKey: keyB, version: 3n });
    await files.rekey({ unlockKey: undefined, version: 4n });
    expect(files.previous).toEqual({ unlockKey: keyA });
  });

  it('has the old key or the new one, wherever the power goes', async () => {
    const seen = new Set<string>();
    for (let step = 1; step <= 12; step++) {
      disk = new SimDisk();
      files = open();
      await files.saveNode(node, { unlockKey: keyA, version: 2n });
      disk.cutPowerAt(disk.operations + step);
      await files.rekey({ unlockKey: keyB, version: 3n }).catch(() => {});
      disk.crash({ random: new SimRandom(step) });
      const isNew = (await open().loadNode(keyB)) !== 'locked';
      expect(await open().loadNode(isNew ? keyB : keyA)).toEqual(node);
      seen.add(String(isNew));
    }
    expect(seen.size).toBe(2);
  });

  it('reads what dockerd encrypted', async () => {
    await disk.writeFileAtomic(keyPath, Buffer.from(DOCKERD_KEY));
    files = open();
    const found = await files.loadNode(new Uint8Array(32).fill(7));
    expect(found).toMatchObject({ keyPem: expect.stringContaining('BEGIN PRIVATE KEY') });
    expect(files.protection.version).toBe(23n);
  });

  it('says which file is no key, and forgets everything when told to', async () => {
    await disk.writeFileAtomic(keyPath, Buffer.from('nonsense'));
    await expect(open().loadNode()).rejects.toThrow(`${keyPath}: not a private key`);
    await files.removeAll();
    expect(await disk.list('/swarm/certificates')).toEqual([]);
    expect(await files.loadNode()).toBeUndefined();
  });
});
