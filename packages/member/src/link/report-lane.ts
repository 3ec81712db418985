import { create } from '@bufbuild/protobuf';
import { type Clock, Code, RpcError } from '@skep/platform';
import type { Channel } from '@skep/rpc';
import { Reports } from '@skep/wire/skep';
import {
  Dispatcher,
  type UpdateTaskStatusRequest,
  type UpdateTaskStatusResponse,
  UpdateTaskStatusResponseSchema,
} from '@skep/wire/swarmkit';
import { LongCall } from '../long-call.js';
import { CALL_TIMEOUT_MS } from './limits.js';

type ReportCall = LongCall<typeof Reports.method.report.input, typeof Reports.method.report.output>;

/**
 * Carries a node's reports to its manager, one after the other: over one long call at a time, or by a call
 * each to a manager of another kind.
 */
export class ReportLane {
  readonly #channel: Channel;
  readonly #clock: Clock;
  #call: ReportCall | undefined;
  #isOtherKind = false;

  constructor(channel: Channel, clock: Clock) {
    this.#channel = channel;
    this.#clock = clock;
  }

  /** Resolves when the dispatcher has taken the report. Rejects as a call of its own would. */
  async send(request: UpdateTaskStatusRequest): Promise<UpdateTaskStatusResponse> {
    if (!this.#isOtherKind) {
      try {
        return await this.#sendOverCall(request);
      } catch (error) {
        if (!(error instanceof RpcError && error.code === Code.UNIMPLEMENTED)) throw error;
        this.#isOtherKind = true;
      }
    }
    const { updateTaskStatus } = Dispatcher.method;
    return this.#channel.unary(updateTaskStatus, request, { timeoutMs: CALL_TIMEOUT_MS });
  }

  async #sendOverCall(request: UpdateTaskStatusRequest): Promise<UpdateTaskStatusResponse> {
    if (!this.#call?.isUsable) this.#call = await this.#open();
    const call = this.#call;
    call.send(request, CALL_TIMEOUT_MS);
    await call.fewerThan(1);
    return create(UpdateTaskStatusResponseSchema);
  }

  async #open(): Promise<ReportCall> {
    const { report } = Reports.method;
    const exchange = await this.#channel.exchange(report, { timeoutMs: CALL_TIMEOUT_MS });
    return new LongCall({ exchange, clock: this.#clock, takenBy: () => 1 });
  }
}
