/** A range of IP addresses: a network address and how many of its leading bits count. */
export interface AddressRange {
  bytes: readonly number[];
  prefixBits: number;
}

const V4_BYTES = 4;
const V6_BYTES = 16;
const V6_GROUPS = 8;
const BITS_PER_BYTE = 8;
/** Leading bytes of an IPv4 address written as IPv6 (`::ffff:a.b.c.d`). */
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/**
 * The bytes of an IPv4 or IPv6 address (4 or 16; an IPv4 in IPv6 clothes gives 4), or undefined.
 */
export function parseAddress(text: string): readonly number[] | undefined {
  const bytes = text.includes(':') ? parseV6(text) : parseV4(text);
  return bytes && isMapped(bytes) ? bytes.slice(MAPPED_PREFIX.length) : bytes;
}

/** A subnet as `address/bits`, or undefined when it is none. */
export function parseSubnet(text: string): AddressRange | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const written = text.slice(0, slash);
  const bytes = parseAddress(written);
  const bitsText = text.slice(slash + 1);
  if (!bytes || !/^\d{1,3}$/.test(bitsText)) return undefined;
  const mappedBits = written.includes(':') && bytes.length === V4_BYTES ? 96 : 0;
  const prefixBits = Number(bitsText) - mappedBits;
  const inRange = prefixBits >= 0 && prefixBits <= bytes.length * BITS_PER_BYTE;
  return inRange ? { bytes, prefixBits } : undefined;
}

/** Whether two addresses are the same one; an absent address equals nothing. */
export function sameAddress(
  a: readonly number[] | undefined,
  b: readonly number[] | undefined,
): boolean {
  return a !== undefined && b?.length === a.length && a.every((byte, at) => byte === b[at]);
}

/** Whether the address lies in the range; an absent address lies in none. */
export function contains(range: AddressRange, address: readonly number[] | undefined): boolean {
  if (address?.length !== range.bytes.length) return false;
  for (let bit = 0; bit < range.prefixBits; bit++) {
    const at = Math.floor(bit / BITS_PER_BYTE);
    const mask = 0x80 >> (bit % BITS_PER_BYTE);
    if (((address[at] ?? 0) & mask) !== ((range.bytes[at] ?? 0) & mask)) return false;
  }
  return true;
}

/** The range's first address and its length, as in `10.1.0.0/16`. */
export function formatRange(range: AddressRange): string {
  return `${formatAddress(edgesOf(range)[0])}/${range.prefixBits}`;
}

/** The first and the last address of a range. */
export function edgesOf({ bytes, prefixBits }: AddressRange): [number[], number[]] {
  const hostBits = bytes.map((_, at) => {
    const bits = Math.min(BITS_PER_BYTE, Math.max(0, prefixBits - at * BITS_PER_BYTE));
    return 0xff >> bits;
  });
  const first = bytes.map((byte, at) => byte & ~(hostBits[at] ?? 0));
  return [first, first.map((byte, at) => byte | (hostBits[at] ?? 0))];
}

/** Whether two ranges have addresses in common. */
export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  return contains(a, b.bytes) || contains(b, a.bytes);
}

function formatAddress(bytes: readonly number[]): string {
  if (bytes.length === V4_BYTES) return bytes.join('.');
  const groups = Array.from({ length: V6_GROUPS }, (_, at) =>
    (((bytes[2 * at] ?? 0) << BITS_PER_BYTE) | (bytes[2 * at + 1] ?? 0)).toString(16),
  );
  // What a URL makes of it has the longest run of zeros left out.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

function isMapped(bytes: readonly number[]): boolean {
  return bytes.length === V6_BYTES && MAPPED_PREFIX.every((byte, at) => byte === bytes[at]);
}

function parseV4(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== V4_BYTES) return undefined;
  const valid = parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return valid ? parts.map(Number) : undefined;
}

function parseV6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(parseGroups);
  if (!head) return undefined;
  if (halves.length === 1) return head.length === V6_BYTES ? head : undefined;
  if (!tail) return undefined;
  const gapBytes = V6_BYTES - head.length - tail.length;
  if (gapBytes < V6_BYTES / V6_GROUPS) return undefined;
  return [...head, ...new Array<number>(gapBytes).fill(0), ...tail];
}

/** Bytes of groups between colons; the last may be an IPv4 address. */
function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [at, group] of groups.entries()) {
    const v4 = at === groups.length - 1 ? parseV4(group) : undefined;
    if (v4) {
      bytes.push(...v4);
    } else if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> BITS_PER_BYTE, value & 0xff);
    } else {
      return undefined;
    }
  }
  return bytes;
}
