import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestMachines } from './machines.ts';
import { sampleArchive } from './sample.ts';
import type { ApiContainer } from './swarm-view.ts';

/** Has the sample image on machines. */
export async function loadImage(machines: TestMachines, ...names: string[]): Promise<void> {
  const load = (name: string) => machines.docker(name, 'load', '-q', '-i', sampleArchive());
  await Promise.all(names.map(load));
}

/** A container's record on a machine. */
export async function inspect(
  machines: TestMachines,
  name: string,
  id: string,
): Promise<ApiContainer> {
  return await machines.get<ApiContainer>(name, `/containers/${id}/json`);
}

/** Runs a shell's command line in a container on a machine. */
export function shell(
  machines: TestMachines,
  name: string,
  id: string,
  command: string,
): Promise<string> {
  return machines.docker(name, 'exec', id, 'sh', '-c', command);
}

/** Where an engine keeps its membership, in a machine's data directory. */
const CERTIFICATES = {
  dockerd: 'docker/swarm/certificates',
  skepd: 'swarm/certificates',
};

/** A node's certificate and the roots it trusts, from its disk. */
export function certificateOf(
  machines: TestMachines,
  name: string,
  engine: 'dockerd' | 'skepd',
): { serial: string; role: string; issuedBy(rootPem: string): boolean; rootPem: string } {
  const read = (file: string) =>
    readFileSync(join(machines.storage, name, 'data', CERTIFICATES[engine], file), 'utf8');
  const certificate = new X509Certificate(read('swarm-node.crt'));
  return {
    serial: certificate.serialNumber,
    role: /^OU=(.*)$/m.exec(certificate.subject)?.[1] ?? '',
    issuedBy: (rootPem) => certificate.verify(new X509Certificate(rootPem).publicKey),
    rootPem: read('swarm-root-ca.crt'),
  };
}

/** Process of a machine's dockerd, in the machine's numbering: another one if it crashed. */
export function dockerdPid(machines: TestMachines, name: string): string {
  return readFileSync(join(machines.storage, '.run', name, 'docker.pid'), 'utf8');
}

/** A crash of a Go program. */
const CRASH = /panic:|fatal error:|nil pointer dereference|SIGSEGV/;

/** Lines of dockerd's log that tell of a crash. */
export function crashes(machines: TestMachines, name: string): string[] {
  return machines
    .log(name)
    .split('\n')
    .filter((line) => CRASH.test(line));
}

/**
 * Lines of dockerd's log that tell of something wrong in what its swarm part was sent; `expected` are
 * the troubles of which the test is.
 */
export function complaints(machines: TestMachines, name: string, expected: RegExp): string[] {
  return machines
    .log(name)
    .split('\n')
    .filter((line) => /level=(error|fatal|panic).*module=node/.test(line) && !expected.test(line));
}
