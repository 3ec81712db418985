import { Code, RpcError } from '@skep/platform';

/** An IPv4 block: its first address as a number, and how many addresses it has. */
interface Block {
  first: number;
  size: number;
}

const ADDRESS = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
const ADDRESS_BITS = 32;
/** Every switch is a /24. */
const SWITCH_BITS = 24;

/** docker-machine's own subnet first, then its neighbours, then others hardly anybody uses. */
const CANDIDATES = [
  ...Array.from({ length: 100 }, (_, index) => `192.168.${99 + index}.0/24`),
  ...Array.from({ length: 100 }, (_, index) => `10.213.${index}.0/24`),
];

function addressNumber(text: string): number | undefined {
  const parts = ADDRESS.exec(text)?.slice(1).map(Number);
  if (!parts?.every((part) => part <= 255)) return undefined;
  return parts.reduce((number, part) => number * 256 + part, 0);
}

/** The block of `10.1.0.0/16`, or of one address; undefined for what is neither. */
function parseBlock(text: string): Block | undefined {
  const [address = '', bits = String(ADDRESS_BITS)] = text.split('/');
  const number = addressNumber(address);
  const width = Number(bits);
  const isBlock = /^\d{1,2}$/.test(bits) && width <= ADDRESS_BITS && number !== undefined;
  if (!isBlock) return undefined;
  const size = 2 ** (ADDRESS_BITS - width);
  return { first: Math.floor(number / size) * size, size };
}

function overlap(one: Block, other: Block): boolean {
  return one.first < other.first + other.size && other.first < one.first + one.size;
}

/** Refuses what is not a network's `A.B.C.0/24`. */
export function checkSubnet(subnet: string): void {
  const block = parseBlock(subnet);
  const [address = '', bits] = subnet.split('/');
  const isNetwork = Number(bits) === SWITCH_BITS && addressNumber(address) === block?.first;
  if (block && isNetwork) return;
  throw new RpcError(Code.INVALID_ARGUMENT, `invalid subnet "${subnet}": use A.B.C.0/24`);
}

/**
 * A subnet that overlaps none of the taken blocks (routes, addresses; what is no IPv4 block is
 * passed over). `wanted` is taken or refused with ALREADY_EXISTS; without it the first free candidate is.
 */
export function chooseSubnet(taken: readonly string[], wanted?: string): string {
  const blocks = taken.map(parseBlock).filter((block) => block !== undefined);
  const isFree = (subnet: string) => {
    const block = parseBlock(subnet);
    return block !== undefined && !blocks.some((other) => overlap(block, other));
  };
  if (wanted !== undefined) {
    checkSubnet(wanted);
    if (isFree(wanted)) return wanted;
    const text = `subnet ${wanted} overlaps a route or address of this host`;
    throw new RpcError(Code.ALREADY_EXISTS, text);
  }
  const found = CANDIDATES.find(isFree);
  if (found) return found;
  const text = 'every subnet for machines overlaps a route of this host; choose one with --subnet';
  throw new RpcError(Code.RESOURCE_EXHAUSTED, text);
}

/** Address `number` (0-255) of a /24. */
export function addressIn(subnet: string, number: number): string {
  return subnet.replace(/\d+\/\d+$/, String(number));
}

/** The last part of an address. */
export function hostNumber(address: string): number {
  return Number(address.split('.').at(-1));
}

/** The same after each start, so that neighbours who remember it find the machine at once. */
export function hardwareAddress(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}
