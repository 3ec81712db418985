import type { SecurityAssociation, SecurityPolicy, SecurityView } from '../contract.js';
import { SimRefusal } from './refusal.js';

type PolicyId = Omit<SecurityPolicy, 'spi' | 'requestId'>;

/** IPsec of one simulated namespace. */
export class SimSecurity {
  /** A kernel without ESP knows policies all the same. */
  hasEsp = true;
  readonly #associations = new Map<string, SecurityAssociation>();
  readonly #policies = new Map<string, SecurityPolicy>();

  view(): SecurityView {
    return structuredClone({
      associations: [...this.#associations.values()],
      policies: [...this.#policies.values()],
    });
  }

  addAssociation(association: SecurityAssociation): void {
    const { source, destination, spi, requestId, key } = association;
    if (!this.hasEsp) throw new SimRefusal('ENOSYS', 'Requested AEAD algorithm not found');
    if (this.#associations.has(associationId(association))) {
      throw new SimRefusal('EEXIST', `association ${spi}`);
    }
    const known = { source, destination, spi, requestId, key };
    this.#associations.set(associationId(association), known);
  }

  removeAssociation(id: Pick<SecurityAssociation, 'destination' | 'spi'>): void {
    if (this.#associations.delete(associationId(id))) return;
    throw new SimRefusal('ESRCH', `no association ${id.spi}`);
  }

  addPolicy(policy: SecurityPolicy): void {
    const { source, destination, udpPort, mark, spi, requestId } = policy;
    const known = { source, destination, udpPort, mark, spi, requestId };
    this.#policies.set(policyId(policy), known);
  }

  removePolicy(id: PolicyId): void {
    if (this.#policies.delete(policyId(id))) return;
    throw new SimRefusal('ENOENT', `no policy to ${id.destination}`);
  }
}

function associationId({ destination, spi }: { destination: string; spi: number }): string {
  return `${destination} ${spi}`;
}

function policyId({ source, destination, udpPort, mark }: PolicyId): string {
  return `${source} ${destination} ${udpPort} ${mark}`;
}
