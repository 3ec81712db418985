import type { NetworksUpdate, WatchNetworksRequest, WithdrawResponse } from '@skep/wire/skep';

/** A manager, as far as networks are concerned. Rejects with `RpcError`. */
export interface NetworksLink {
  /**
   * Updates until the call ends; `requests` say which are in the kernel. Aborting the signal ends it
   * from this side.
   */
  watch(
    requests: AsyncIterable<WatchNetworksRequest>,
    signal: AbortSignal,
  ): AsyncIterable<NetworksUpdate>;
  withdraw(taskId: string, signal: AbortSignal): Promise<WithdrawResponse>;
}

/** Whoever makes this node's networks be as a manager says. */
export interface NetworkTablesSink {
  /**
   * Takes an update over, in the order of calls; the next may come before this one is done. Resolves
   * when the kernel is as it says.
   */
  update(update: NetworksUpdate): Promise<void>;
  /** No manager tells more for now: what is known stays as it is. */
  lost(): void;
  /** The manager is of another kind, and will never tell. */
  unsupported(): void;
}
