import { create } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
} from '@skep/wire/swarmkit';

/** Name under which managers ask whether this one takes part in Raft: before it is let in, and later. */
export const RAFT_SERVICE = 'Raft';
/** Name under which it says whether it answers questions about the swarm. */
export const CONTROL_SERVICE = 'ControlAPI';

/** What a manager says of its own health (wire-raft.md 2.3). */
export class Health {
  readonly #serving = new Map<string, boolean>();

  setServing(service: string, isServing: boolean): void {
    this.#serving.set(service, isServing);
  }

  /** Whether a service is up; no name asks of the whole. NOT_FOUND for one never heard of. */
  async check({ service }: HealthCheckRequest): Promise<HealthCheckResponse> {
    const isServing = service === '' || this.#serving.get(service);
    if (isServing === undefined) throw new RpcError(Code.NOT_FOUND, 'unknown service');
    const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
    return create(HealthCheckResponseSchema, { status: isServing ? SERVING : NOT_SERVING });
  }
}
