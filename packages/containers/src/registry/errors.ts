import { Code, RpcError } from '@skep/platform';

/**
 * What went wrong with a registry:
 * - `unreachable`: no connection, no answer, or a server error; an image that is here already may
 *   be used;
 * - `unauthorized`: it wants credentials, or other ones; `denied`: it knows us and refuses;
 * - `not-found`: no such repository, manifest or blob;
 * - `rate-limited`: asked too often;
 * - `invalid`: its answer makes no sense.
 */
export type RegistryErrorKind =
  | 'unreachable'
  | 'unauthorized'
  | 'denied'
  | 'not-found'
  | 'rate-limited'
  | 'invalid';

const CODE: Record<RegistryErrorKind, Code> = {
  unreachable: Code.UNAVAILABLE,
  unauthorized: Code.UNAUTHENTICATED,
  denied: Code.PERMISSION_DENIED,
  'not-found': Code.NOT_FOUND,
  'rate-limited': Code.RESOURCE_EXHAUSTED,
  invalid: Code.UNKNOWN,
};

/** An error with a registry; `registryCode` is what the registry calls it (`MANIFEST_UNKNOWN`). */
export class RegistryError extends RpcError {
  readonly kind: RegistryErrorKind;
  readonly registryCode: string | undefined;

  constructor(
    kind: RegistryErrorKind,
    message: string,
    options: { registryCode?: string | undefined; cause?: unknown; code?: Code } = {},
  ) {
    super(options.code ?? CODE[kind], message, { cause: options.cause });
    this.name = 'RegistryError';
    this.kind = kind;
    this.registryCode = options.registryCode;
  }
}

const KIND_OF_REGISTRY_CODE: Record<string, RegistryErrorKind> = {
  UNAUTHORIZED: 'unauthorized',
  DENIED: 'denied',
  NAME_UNKNOWN: 'not-found',
  MANIFEST_UNKNOWN: 'not-found',
  BLOB_UNKNOWN: 'not-found',
  TOOMANYREQUESTS: 'rate-limited',
  UNAVAILABLE: 'unreachable',
};

/** Go's text for each code where the registry gives none. */
const DEFAULT_MESSAGE: Record<string, string> = {
  UNAUTHORIZED: 'authentication required',
  DENIED: 'requested access to the resource is denied',
  NAME_UNKNOWN: 'repository name not known to registry',
  MANIFEST_UNKNOWN: 'manifest unknown',
  BLOB_UNKNOWN: 'blob unknown to registry',
  TOOMANYREQUESTS: 'too many requests',
};

const CODE_OF_STATUS: Record<number, string> = {
  401: 'UNAUTHORIZED',
  403: 'DENIED',
  429: 'TOOMANYREQUESTS',
};

function parseErrors(body: string): { code: string; message: string } | undefined {
  try {
    const json = JSON.parse(body) as {
      errors?: { code?: unknown; message?: unknown }[];
      details?: unknown;
    };
    const first = json.errors?.[0];
    if (typeof first?.code === 'string') {
      const message = typeof first.message === 'string' ? first.message : '';
      return { code: first.code, message };
    }
    // Docker's token servers answer `{"details": "incorrect username or password"}`.
    if (typeof json.details === 'string') return { code: 'UNAUTHORIZED', message: json.details };
  } catch {
    // Proxies answer with pages of HTML: the status must do.
  }
  return undefined;
}

/**
 * The error an HTTP answer stands for. `unknownCode` is what a bare 404 means here: a HEAD has no
 * body to tell an unknown manifest from an unknown repository.
 */
export function errorOfAnswer(
  status: number,
  body: string,
  unknownCode: 'MANIFEST_UNKNOWN' | 'NAME_UNKNOWN' | 'BLOB_UNKNOWN',
): RegistryError {
  const given = parseErrors(body);
  const code = given?.code ?? (status === 404 ? unknownCode : CODE_OF_STATUS[status]);
  if (code === undefined) {
    const kind = status >= 500 ? 'unreachable' : 'invalid';
    const text = `received unexpected HTTP status: ${status}${httpText(status)}`;
    return new RegistryError(kind, text);
  }
  const kind = KIND_OF_REGISTRY_CODE[code] ?? (status >= 500 ? 'unreachable' : 'invalid');
  const message = given?.message || DEFAULT_MESSAGE[code] || 'unknown error';
  const label = code.toLowerCase().replaceAll('_', ' ');
  return new RegistryError(kind, `${label}: ${message}`, { registryCode: code });
}

const STATUS_TEXT: Record<number, string> = {
  400: 'Bad Request',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

function httpText(status: number): string {
  const text = STATUS_TEXT[status];
  return text === undefined ? '' : ` ${text}`;
}
