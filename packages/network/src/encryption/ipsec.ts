import { HOST, KernelError, type NetKernel, type SecurityView } from '../kernel/contract.js';
import {
  IPSEC_REQUEST_ID,
  isOurs,
  planSecurity,
  type SecuritySetting,
  securityChanges,
} from './security-plan.js';

const NOTHING: SecurityView = { associations: [], policies: [] };

/** Addresses that nobody has (RFC 5737), for an association that is taken back at once. */
const TRIAL = {
  source: '192.0.2.1',
  destination: '192.0.2.2',
  spi: 0x736b_6570,
  requestId: IPSEC_REQUEST_ID,
};
const TRIAL_KEY = new Uint8Array(20).fill(1);

/** Kernels that know nothing of it say this of the whole protocol. */
const NOT_KNOWN = new Set(['EPROTONOSUPPORT', 'EAFNOSUPPORT']);

/**
 * IPsec with other nodes as Docker Engines do it: ESP in the kernel, keys from the managers, nothing
 * exchanged between nodes. What stands outlives this process.
 */
export class Ipsec {
  readonly #kernel: NetKernel;

  constructor(kernel: NetKernel) {
    this.#kernel = kernel;
  }

  /** Why this node's kernel cannot do it, in a sentence; undefined when it can. */
  async problem(): Promise<string | undefined> {
    try {
      const command = { namespace: HOST, ...TRIAL };
      await this.#kernel.run([
        { op: 'xfrm-state-add', ...command, key: TRIAL_KEY },
        { op: 'xfrm-state-remove', ...command },
      ]);
      return undefined;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      return `this kernel has no IPsec ESP with AES-GCM (modules esp4 and gcm; ${error.code})`;
    }
  }

  /** Addresses of nodes that datagrams are sealed for now. */
  async reached(): Promise<Set<string>> {
    const { policies } = await this.#standing();
    return new Set(policies.filter(isOurs).map(({ destination }) => destination));
  }

  /** Leaves the kernel with these peers and keys and no others. Rejects with what it refused. */
  async configure(setting: SecuritySetting): Promise<void> {
    await this.#change(planSecurity(setting));
  }

  async remove(): Promise<void> {
    await this.#change(NOTHING);
  }

  async #change(wanted: SecurityView): Promise<void> {
    const { add, remove } = securityChanges(await this.#standing(), wanted);
    await this.#kernel.run(add);
    await this.#kernel.run(remove, { onRefusal: 'continue' });
  }

  async #standing(): Promise<SecurityView> {
    try {
      return await this.#kernel.security(HOST);
    } catch (error) {
      if (error instanceof KernelError && NOT_KNOWN.has(error.code)) return NOTHING;
      throw error;
    }
  }
}
