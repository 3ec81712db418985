/** What an authority outside the swarm is asked to sign (wire.md 2.8). */
export interface ExternalCertificate {
  /** The request, PEM; only its key counts. */
  csrPem: string;
  commonName: string;
  /** Further parts of the subject's name, by CFSSL's short names: `O`, `OU`, `C`, … */
  names: Readonly<Record<string, string>>;
  /** DNS names of the subject. */
  hosts: readonly string[];
  /** Under which of its policies the authority signs; its default unless given. */
  profile?: 'CA';
  /** Extensions the certificate must have: dotted identifier, and the DER of the value. */
  extensions?: readonly { id: string; isCritical: boolean; valueDer: Uint8Array }[];
}

/** Where an authority is, and how it is known to be the right one. */
export interface ExternalAddress {
  /** `https://host[:port]/path` addresses of the same authority, tried in order. */
  urls: readonly string[];
  /** PEM of the roots that the authority's server certificate must come from. */
  trustPem: string;
}

/**
 * Certificate authorities outside the swarm. Both methods reject with UNAVAILABLE where trying
 * again may help (unreachable, overloaded, not understood), and with another code where it cannot.
 */
export interface ExternalAuthority {
  /** The signed certificate, PEM. Aborting gives up. */
  sign(
    address: ExternalAddress,
    certificate: ExternalCertificate,
    signal?: AbortSignal,
  ): Promise<string>;
  /** Resolves when a TLS connection to the address, with this node's certificate, can be made. */
  probe(url: string, trustPem: string): Promise<void>;
}

/** One exchange with an HTTPS server. */
export interface HttpsTarget {
  url: string;
  /** PEM of the only roots trusted. */
  trustPem: string;
  /** The certificate shown and its key, PEM; none where undefined. */
  identity: { certificatePem: string; keyPem: string } | undefined;
  /** Aborting ends the exchange, which then rejects. */
  signal: AbortSignal;
}

export interface HttpsResponse {
  status: number;
  body: string;
}

/** HTTPS as an external authority is spoken to. Rejects on anything that prevents an answer. */
export interface HttpsClient {
  /** Posts JSON. Rejects when the answer is longer than `responseBytesMax`. */
  post(target: HttpsTarget, json: string, responseBytesMax: number): Promise<HttpsResponse>;
  /** Resolves once TLS is up and both certificates are accepted; sends nothing. */
  connect(target: HttpsTarget): Promise<void>;
}
