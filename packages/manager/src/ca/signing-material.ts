import {
  type ExternalAddress,
  normalizePem,
  RootCa,
  type RootCaDependencies,
  type RootCaMaterial,
} from '@skep/ca';
import { type ClusterObject, durationMs } from '@skep/wire';
import { type ExternalCA, ExternalCA_CAProtocol } from '@skep/wire/swarmkit';

/** What a swarm's certificates are signed with at present. */
export interface SigningMaterial {
  clusterId: string;
  root: RootCa;
  /** PEM that follows each leaf; empty but while roots rotate. */
  intermediatesPem: string;
  /** The authority that signs in our place; undefined where the cluster names none. */
  external: ExternalAddress | undefined;
  /** Validity of new certificates, ms; undefined for the default. */
  expiryMs: number | undefined;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

/** Reads cluster objects; roots, which are costly to take up, are kept with the objects they come from. */
export class SigningMaterials {
  readonly #dependencies: RootCaDependencies;
  readonly #roots = new WeakMap<object, RootCa>();

  constructor(dependencies: RootCaDependencies) {
    this.#dependencies = dependencies;
  }

  /** Throws INVALID_ARGUMENT when the cluster's root cannot be used, or not at this time. */
  of(cluster: ClusterObject): SigningMaterial {
    const { rootCa, spec } = cluster;
    const { nodeCertExpiry } = spec.caConfig;
    return {
      clusterId: cluster.id,
      root: this.#rootOf(rootCa),
      intermediatesPem: text(rootCa.rootRotation?.crossSignedCaCert ?? new Uint8Array(0)),
      external: externalAddress(cluster),
      expiryMs: nodeCertExpiry && durationMs(nodeCertExpiry),
    };
  }

  #rootOf(rootCa: ClusterObject['rootCa']): RootCa {
    const known = this.#roots.get(rootCa);
    if (known) return known;
    const root = new RootCa(rootMaterial(rootCa), this.#dependencies);
    this.#roots.set(rootCa, root);
    return root;
  }
}

function rootMaterial(rootCa: ClusterObject['rootCa']): RootCaMaterial {
  const rotation = rootCa.rootRotation;
  const key = rotation ? rotation.caKey : rootCa.caKey;
  return {
    certificatePem: text(rootCa.caCert),
    ...(key.length > 0 ? { keyPem: text(key) } : {}),
    ...(rotation ? { intermediatesPem: text(rotation.crossSignedCaCert) } : {}),
  };
}

/** The external authority of the root that signs now: of the new one while roots rotate. */
function externalAddress({ rootCa, spec }: ClusterObject): ExternalAddress | undefined {
  const current = text(rootCa.caCert);
  const next = rootCa.rootRotation && text(rootCa.rootRotation.caCert);
  const urls = authoritiesOf(spec.caConfig.externalCas, next ?? current, current).map(
    ({ url }) => url,
  );
  return urls.length > 0 ? { urls, trustPem: current + (next ?? '') } : undefined;
}

/**
 * The external authorities that sign for a root. One that does not say for which root is the
 * current one's.
 */
export function authoritiesOf(
  externalCas: readonly ExternalCA[],
  rootPem: string,
  currentPem: string,
): ExternalCA[] {
  const wanted = normalizePem(rootPem);
  return externalCas.filter(({ protocol, caCert }) => {
    const own = caCert.length > 0 ? text(caCert) : currentPem;
    return protocol === ExternalCA_CAProtocol.CFSSL && normalizePem(own) === wanted;
  });
}
