import { closeSync, existsSync, readFile, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { NamespacePath } from '../contract.js';
import { openFile } from './libc.js';
import type { Namespaces } from './namespaces.js';
import { countInbound, portsListenedOn } from './tcp-listing.js';

/** Of the calling thread's network namespace; a file stays of it that was opened there. */
const DIRECTORY = '/proc/thread-self/net';
const read = promisify(readFile);

/**
 * Descriptors of a namespace's listings of TCP sockets, to be read elsewhere: the kernel walks all of
 * its tables for each, which takes milliseconds. They are in each kernel, while asking for sockets by
 * netlink takes modules, and as long.
 */
export function openTcpListings(namespaces: Namespaces, namespace: NamespacePath): number[] {
  return namespaces.within(namespace, () => {
    const paths = ['tcp', 'tcp6'].map((name) => `${DIRECTORY}/${name}`);
    // A kernel without IPv6 has no list of it.
    return paths.filter((path) => existsSync(path)).map((path) => openFile(path));
  });
}

/** Connections to a namespace from elsewhere, by its listings, which are closed then. */
export async function readInbound(listings: readonly number[]): Promise<number> {
  return countInbound(await readAll(listings));
}

/** Ports that a namespace listens on for others, by its listings, which are closed then. */
export async function readListening(listings: readonly number[]): Promise<number[]> {
  return portsListenedOn(await readAll(listings));
}

async function readAll(listings: readonly number[]): Promise<string[]> {
  try {
    const texts: string[] = [];
    for (const listing of listings) texts.push(await read(listing, 'latin1'));
    return texts;
  } finally {
    for (const listing of listings) closeSync(listing);
  }
}

/** Sockets in use, of both families: `TCP: inuse 5 orphan 0 …` and `TCP6: inuse 3`. */
export function countTcpSockets(namespaces: Namespaces, namespace: NamespacePath): number {
  return namespaces.within(namespace, () => {
    const paths = ['sockstat', 'sockstat6'].map((name) => `${DIRECTORY}/${name}`);
    const texts = paths
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, 'utf8'));
    return texts
      .flatMap((text) => [...text.matchAll(/^TCP6?: inuse (\d+)/gm)])
      .reduce((sum, [, count]) => sum + Number(count), 0);
  });
}
