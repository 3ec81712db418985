import { isIPv4 } from 'node:net';
import { Code, errorMessage, RpcError } from '@skep/platform';

/** What a volume of the `local` driver is made with: the parts of a mount(2), and a quota. */
export type LocalOptions = Readonly<Record<string, string>>;

const KNOWN = new Set(['type', 'o', 'device', 'size']);
/** What each option cannot be without. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  o: ['device', 'type'],
  device: ['type'],
  type: ['device'],
};
/** As Docker writes sizes: `100m`, `1.5GiB`, `4096`. */
const SIZE = /^\d+(\.\d+)? ?([kmgtp]i?b?|b)?$/i;

/** Refuses options that the `local` driver does not have, or cannot do, in Docker's words. */
export function checkLocalOptions(options: LocalOptions): void {
  for (const key of Object.keys(options)) {
    if (!KNOWN.has(key)) throw invalid(`invalid option: "${key}"`);
  }
  const { device, size, type } = options;
  if (type === 'cifs' && device && /^[^/]*\/\/[^/]*:\d+(\/|$)/.test(device)) {
    throw invalid("port not allowed in CIFS device URL, include 'port' in 'o='");
  }
  if (size !== undefined) {
    if (!SIZE.test(size)) throw invalid(`invalid size: '${size}'`);
    if (Number.parseFloat(size) > 0) throw invalid('quota size requested but no quota support');
  }
  for (const [key, others] of Object.entries(REQUIRED)) {
    const missing = options[key] === undefined ? [] : others.filter((one) => !(one in options));
    if (missing.length > 0) throw invalid(`missing required option: "${missing[0]}"`);
  }
}

/** Resolves with an address of a host. */
export type ResolveHost = (name: string) => Promise<string>;

/** Device and options as mount(2) takes them: the kernel knows no names of network file servers. */
export async function resolveMount(
  options: LocalOptions,
  resolve: ResolveHost,
): Promise<{ device: string; o: string }> {
  const { device = '', o = '', type } = options;
  if (type !== 'nfs' && type !== 'cifs') return { device, o };
  const address = /(?:^|,)addr=([^,]*)/.exec(o)?.[1];
  if (address && !isIPv4(address)) {
    return { device, o: o.replace(`addr=${address}`, `addr=${await lookUp(address, resolve)}`) };
  }
  const host = type === 'cifs' && !address ? /\/\/([^/]+)/.exec(device)?.[1] : undefined;
  if (!host || isIPv4(host)) return { device, o };
  return { device: device.replace(`//${host}`, `//${await lookUp(host, resolve)}`), o };
}

async function lookUp(name: string, resolve: ResolveHost): Promise<string> {
  try {
    return await resolve(name);
  } catch (error) {
    const what = 'error resolving passed in network volume address';
    throw new RpcError(Code.INTERNAL, `${what}: ${errorMessage(error)}`);
  }
}

/** A text without the password that mount options may hold. */
export function withoutPassword(text: string): string {
  return text.replace(/\b(password|pass)=[^,\s]*/g, '$1=********');
}

function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}
