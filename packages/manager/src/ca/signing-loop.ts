import { create } from '@bufbuild/protobuf';
import type { ExternalAuthority } from '@skep/ca';
import { errorMessage, InvariantError } from '@skep/platform';
import type { Change } from '@skep/store';
import type { NodeObject } from '@skep/wire';
import {
  type Certificate,
  type IssuanceStatus,
  IssuanceStatus_State,
  IssuanceStatusSchema,
} from '@skep/wire/swarmkit';
import { CLUSTER_NAME } from '../control/cluster/refused-certificates.js';
import { DirtyKeys } from '../loop/dirty-keys.js';
import type { LoopOptions } from '../loop/planner.js';
import { SIGN_BATCH_MAX, SIGN_RETRY_MS } from './limits.js';
import { awaitsSignature, isSameRequest } from './requests.js';
import { type Signature, signFor } from './sign.js';
import { type SigningMaterial, SigningMaterials } from './signing-material.js';

/** What is to be written of one node's request. */
interface Decided {
  nodeId: string;
  request: Certificate;
  status: IssuanceStatus;
  certificate: Uint8Array;
}

/**
 * Signs every request that awaits it. What cannot be signed for now keeps its state and is tried
 * again after a while; requests that came meanwhile wait with it where nothing could be signed.
 */
export class SigningLoop {
  readonly #options: LoopOptions & { external?: ExternalAuthority | undefined };
  readonly #materials: SigningMaterials;
  readonly #keys: DirtyKeys<string>;
  #stopping = new AbortController();
  /** Monotonic time before which signing was found to be of no use. */
  #notBeforeMs = 0;

  constructor(options: LoopOptions & { external?: ExternalAuthority | undefined }) {
    this.#options = options;
    this.#materials = new SigningMaterials(options);
    this.#keys = new DirtyKeys({ clock: options.clock, work: () => this.#work() });
  }

  start(): void {
    this.#stopping = new AbortController();
    this.#markAll();
    this.#keys.start();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#keys.stop();
  }

  onChange(change: Change): void {
    if (change.table === 'node' && change.kind !== 'remove') this.#mark(change.object);
    if (change.table === 'cluster') this.#markAll();
  }

  /** With another root or authority, all may be different. */
  #markAll(): void {
    this.#notBeforeMs = 0;
    for (const node of this.#options.store.view.all('node')) this.#mark(node);
  }

  #mark(node: NodeObject): void {
    if (awaitsSignature(node)) this.#keys.mark(node.id);
  }

  async #work(): Promise<void> {
    const keys = this.#keys.take(SIGN_BATCH_MAX);
    try {
      const waitMs = this.#notBeforeMs - this.#options.clock.monotonic();
      if (waitMs > 0) for (const key of keys) this.#keys.markAfter(key, waitMs);
      else await this.#sign(keys);
      this.#keys.succeeded(keys);
    } catch (error) {
      if (error instanceof InvariantError) this.#options.onFatal?.(error);
      if (this.#keys.stopped) return;
      const delayMs = this.#keys.failed(keys);
      const fields = { nodes: keys.length, error: errorMessage(error), delayMs };
      this.#options.log.warn(fields, 'signing certificates again later');
    }
  }

  async #sign(nodeIds: readonly string[]): Promise<void> {
    const { store, clock, external } = this.#options;
    const material = this.#material();
    const nodes = nodeIds.flatMap((id) => store.view.get('node', id) ?? []).filter(awaitsSignature);
    const { signal } = this.#stopping;
    const signatures = await Promise.all(
      nodes.map((node) =>
        typeof material === 'string'
          ? deferred(material)
          : signFor(node, material, { clock, external, signal }),
      ),
    );
    if (signal.aborted) return;
    await this.#settle(nodes, signatures);
  }

  async #settle(nodes: readonly NodeObject[], signatures: readonly Signature[]): Promise<void> {
    const { clock, log } = this.#options;
    const reasons: string[] = [];
    const decided: Decided[] = [];
    for (const [at, node] of nodes.entries()) {
      const signature = signatures[at]!;
      if (signature.kind === 'deferred') {
        this.#keys.markAfter(node.id, SIGN_RETRY_MS);
        reasons.push(signature.reason);
      } else {
        if (signature.kind === 'refused') {
          log.warn({ nodeId: node.id, error: signature.reason }, 'certificate refused');
        }
        decided.push(decisionOn(node, signature));
      }
    }
    if (reasons.length > 0) {
      log.warn({ nodes: reasons.length, error: reasons[0] }, 'certificates cannot be signed now');
      if (decided.length === 0) this.#notBeforeMs = clock.monotonic() + SIGN_RETRY_MS;
    }
    await this.#write(decided);
  }

  /** The material, or why there is none. */
  #material(): SigningMaterial | string {
    const cluster = this.#options.store.view.named('cluster', CLUSTER_NAME);
    if (!cluster) return 'there is no cluster object yet';
    try {
      return this.#materials.of(cluster);
    } catch (error) {
      return errorMessage(error);
    }
  }

  /** Writes what is decided, but for requests that were replaced or withdrawn meanwhile. */
  #write(decided: readonly Decided[]): Promise<void> {
    return this.#options.store.batch(decided, (tx, { nodeId, request, status, certificate }) => {
      const node = tx.get('node', nodeId);
      if (!node || !isSameRequest(node.certificate, request)) return;
      tx.update('node', { ...node, certificate: { ...node.certificate, certificate, status } });
    });
  }
}

function decisionOn(
  { id: nodeId, certificate: request }: NodeObject,
  signature: Exclude<Signature, { kind: 'deferred' }>,
): Decided {
  if (signature.kind === 'signed') {
    const status = create(IssuanceStatusSchema, { state: IssuanceStatus_State.ISSUED });
    return { nodeId, request, status, certificate: Buffer.from(signature.chainPem) };
  }
  const { reason: err } = signature;
  const status = create(IssuanceStatusSchema, { state: IssuanceStatus_State.FAILED, err });
  return { nodeId, request, status, certificate: request.certificate };
}

async function deferred(reason: string): Promise<Signature> {
  return { kind: 'deferred', reason };
}
