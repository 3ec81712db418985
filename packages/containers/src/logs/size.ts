const DECIMAL = 1000;
const BINARY = 1024;
const UNITS = ['', 'k', 'm', 'g', 't', 'p'];

/** `10m`, `1.5g`, `500k`: decimal units, as go-units' `FromHumanSize`. Undefined for no size. */
export function parseHumanSize(text: string): number | undefined {
  return parseSize(text, DECIMAL);
}

/** The same with binary units, as go-units' `RAMInBytes`. */
export function parseMemorySize(text: string): number | undefined {
  return parseSize(text, BINARY);
}

function parseSize(text: string, base: number): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])?i?b?)$/i.exec(text);
  if (!match) return undefined;
  const exponent = UNITS.indexOf((match[2] ?? '').toLowerCase());
  return Math.floor(Number(match[1]) * base ** exponent);
}
