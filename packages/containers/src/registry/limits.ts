/** Limits of the registry room. */

/** A TCP and TLS connection must stand by then, or the registry counts as unreachable. */
export const CONNECT_TIMEOUT_MS = 5_000;

/** From the request sent to the answer's first byte. */
export const HEADERS_TIMEOUT_MS = 30_000;

/** Silence inside a body. */
export const BODY_TIMEOUT_MS = 60_000;

/** Manifests and indexes, as distribution limits them. */
export const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;

/** Error bodies and token answers. */
export const ANSWER_BYTES_MAX = 1024 * 1024;

export const REDIRECTS_MAX = 10;

/** How long it is remembered how a registry is reached and what it asks for. */
export const PING_REMEMBERED_MS = 60_000;

/** Registries remembered, and tokens. */
export const PINGS_MAX = 256;
export const TOKENS_MAX = 1_024;

/** Validity of a token that does not state its own (Docker's token specification). */
export const TOKEN_DEFAULT_MS = 60_000;

/** A token is replaced this long before it ends. */
export const TOKEN_MARGIN_MS = 10_000;
