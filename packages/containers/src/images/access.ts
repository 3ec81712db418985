import { createHash } from 'node:crypto';
import type { Random } from '@skep/platform';
import type { Labels } from '../containerd/types.js';
import type { Image } from './index-map.js';

/**
 * Who may have an image from this node, noted on its names: nothing, for one that no credentials were
 * needed for; else a salt and, salted and hashed, what others must hold the same of.
 */
const ACCESS_LABEL = 'skep.access';

const SALT_BYTES = 16;

/** Keys noted of one image, the newest: containerd's labels hold 4 KiB. */
export const ACCESS_KEYS_MAX = 32;

export interface ImageAccess {
  salt: Uint8Array;
  /** SHA-256 of the salt and then the key. */
  keys: Uint8Array[];
}

/** Who may have an image, whatever it is called; undefined where anybody may. */
export function accessOf(image: Pick<Image, 'names'>): ImageAccess | undefined {
  const text = keptAccess(image)[ACCESS_LABEL];
  if (!text) return undefined;
  const [salt = '', ...keys] = text.split(' ');
  return { salt: fromBase64(salt), keys: keys.map(fromBase64) };
}

/** Labels that add keys to those whose holders may have an image. */
export function accessLabels(
  before: ImageAccess | undefined,
  keys: readonly string[],
  random: Random,
): Labels {
  const salt = before?.salt ?? random.bytes(SALT_BYTES);
  const added = keys.map((key) => createHash('sha256').update(salt).update(key).digest());
  const all = [...(before?.keys ?? []), ...added].map(toBase64);
  // What is granted again counts as new.
  const unique = [...new Set(all.toReversed())].toReversed().slice(-ACCESS_KEYS_MAX);
  return { [ACCESS_LABEL]: [toBase64(salt), ...unique].join(' ') };
}

/** What an image's further names bear of who may have it. */
export function keptAccess({ names }: Pick<Image, 'names'>): Labels {
  const text = names.map(({ labels }) => labels[ACCESS_LABEL]).find((found) => found);
  return text ? { [ACCESS_LABEL]: text } : {};
}

/** Labels without what says who may have an image. */
export function withoutAccess(labels: Labels): Labels {
  const { [ACCESS_LABEL]: _, ...others } = labels;
  return others;
}

function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, 'base64');
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
