import { Code, RpcError } from '@skep/platform';

/**
 * Names of images, by the grammar of Docker's `distribution/reference`: what a user writes
 * (`busybox`), its normalised form (`docker.io/library/busybox:latest`) and back.
 */
export interface Reference {
  /** `docker.io`, `localhost:5000`, … */
  domain: string;
  /** `library/busybox`. */
  path: string;
  tag?: string;
  /** `sha256:…`. */
  digest?: string;
}

const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DOMAIN = 'index.docker.io';
const OFFICIAL_PREFIX = 'library/';
const DEFAULT_TAG = 'latest';
const NAME_CHARACTERS_MAX = 255;

const DOMAIN_LABEL = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = new RegExp(
  `^(?:${DOMAIN_LABEL}(?:\\.${DOMAIN_LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`,
);
const PATH_COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const PATH = new RegExp(`^${PATH_COMPONENT}(?:/${PATH_COMPONENT})*$`);
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const SHA256 = /^sha256:[0-9a-f]{64}$/;
const SHA256_BARE = /^[0-9a-f]{64}$/;

function invalid(message = 'invalid reference format'): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}

/** Whether text is a whole `sha256:…` digest. */
export function isDigest(text: string): boolean {
  return SHA256.test(text);
}

/** Parses what a user wrote; throws INVALID_ARGUMENT with Docker's text. */
export function parseReference(text: string): Reference {
  if (SHA256_BARE.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { domain, rest } = splitDomain(text);
  const { path, tag, digest } = splitTail(rest);
  if (path.toLowerCase() !== path) {
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`);
  }
  if (!DOMAIN.test(domain) || !PATH.test(path)) throw invalid();
  if (tag !== undefined && !TAG.test(tag)) throw invalid();
  if (digest !== undefined) checkDigest(digest);
  if (domain.length + 1 + path.length > NAME_CHARACTERS_MAX) {
    throw invalid(`repository name must not be more than ${NAME_CHARACTERS_MAX} characters`);
  }
  return {
    domain,
    path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

function checkDigest(digest: string): void {
  if (!DIGEST.test(digest)) throw invalid();
  if (!digest.startsWith('sha256:')) throw invalid('unsupported digest algorithm');
  if (!SHA256.test(digest)) throw invalid('invalid checksum digest length');
}

/** The part before the first slash is a domain when it cannot be a path: dot, colon, upper case. */
function splitDomain(text: string): { domain: string; rest: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isDomain =
    slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  let domain = isDomain ? first : DEFAULT_DOMAIN;
  let rest = isDomain ? text.slice(slash + 1) : text;
  if (domain === LEGACY_DOMAIN) domain = DEFAULT_DOMAIN;
  if (domain === DEFAULT_DOMAIN && !rest.includes('/')) rest = OFFICIAL_PREFIX + rest;
  return { domain, rest };
}

function splitTail(rest: string): { path: string; tag?: string; digest?: string } {
  const at = rest.indexOf('@');
  const name = at < 0 ? rest : rest.slice(0, at);
  const colon = name.indexOf(':');
  return {
    path: colon < 0 ? name : name.slice(0, colon),
    ...(colon >= 0 && { tag: name.slice(colon + 1) }),
    ...(at >= 0 && { digest: rest.slice(at + 1) }),
  };
}

/** With tag `latest` where neither tag nor digest is given. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: DEFAULT_TAG };
}

/** `docker.io/library/busybox`. */
export function fullName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** `busybox`, `localhost:5000/app`: as Docker shows it. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return fullName(reference);
  const { path } = reference;
  const short = path.startsWith(OFFICIAL_PREFIX) ? path.slice(OFFICIAL_PREFIX.length) : path;
  // `library/a/b` is not official: shortened, it would parse as something else.
  return short.includes('/') ? path : short;
}

function tail(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return reference.digest === undefined ? tag : `${tag}@${reference.digest}`;
}

/** `busybox:latest`, `busybox@sha256:…`. */
export function familiarString(reference: Reference): string {
  return familiarName(reference) + tail(reference);
}

/** `docker.io/library/busybox:latest`: its name in containerd's image store. */
export function canonicalString(reference: Reference): string {
  return fullName(reference) + tail(reference);
}

/** The reference under which an image is stored: a digest wins over a tag, as in Docker. */
export function storedReference(reference: Reference): Reference {
  const { domain, path, digest } = reference;
  return digest === undefined ? withDefaultTag(reference) : { domain, path, digest };
}
