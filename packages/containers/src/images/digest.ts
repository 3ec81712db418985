import { createHash } from 'node:crypto';

/** `sha256:…` of bytes. */
export function sha256Digest(data: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

/** The twelve hexadecimal digits Docker shows of a digest or id. */
export function shortId(digest: string): string {
  const SHORT_LENGTH = 12;
  return digest.replace(/^sha256:/, '').slice(0, SHORT_LENGTH);
}

/**
 * Names of the snapshots of a stack of layers, bottom first: each is made of all below it (wire.md
 * 6.6).
 */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : sha256Digest(`${below} ${diffId}`));
  }
  return chain;
}
