import { Code, RpcError } from '@skep/platform';

/** What an image runs on, in Go's names: `linux`, `amd64`, `v8`. */
export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

const GO_ARCHITECTURE: Record<string, string> = {
  x64: 'amd64',
  ia32: '386',
  arm64: 'arm64',
  arm: 'arm',
  ppc64: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
  loong64: 'loong64',
};

/** Names people write for an architecture, and what they mean. */
const ALIASES: Record<string, { architecture: string; variant?: string }> = {
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  i386: { architecture: '386' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
};

/** Variants that are the plain architecture. */
const DEFAULT_VARIANT: Record<string, string> = { amd64: 'v1', arm64: 'v8', arm: 'v7' };

export function hostPlatform(): Platform {
  return { os: 'linux', architecture: GO_ARCHITECTURE[process.arch] ?? process.arch };
}

/** `linux/arm64`, `linux/arm/v7`, `arm64`, `linux`. */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_-]+$/.test(part))) {
    const message = `"${text}": unknown operating system or architecture: invalid argument`;
    throw new RpcError(Code.INVALID_ARGUMENT, message);
  }
  const host = hostPlatform();
  const [first = '', second, variant] = parts;
  if (second === undefined) {
    if (first === 'linux' || first === 'windows') return { ...host, os: first };
    return { os: host.os, ...(ALIASES[first] ?? { architecture: first }) };
  }
  const known = ALIASES[second] ?? { architecture: second };
  return { os: first, ...known, ...(variant !== undefined && { variant }) };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part).join('/');
}

function variantOf(platform: Platform): string {
  return platform.variant || DEFAULT_VARIANT[platform.architecture] || '';
}

/**
 * How well a platform suits a wanted one: 2 exactly, 1 it runs (an older variant of the same
 * architecture), 0 not at all.
 */
export function platformFit(wanted: Platform, offered: Platform): 0 | 1 | 2 {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return 0;
  const [want, have] = [variantOf(wanted), variantOf(offered)];
  if (want === have) return 2;
  const [wantLevel, haveLevel] = [want, have].map((v) => Number.parseInt(v.slice(1), 10));
  return haveLevel !== undefined && wantLevel !== undefined && haveLevel < wantLevel ? 1 : 0;
}
