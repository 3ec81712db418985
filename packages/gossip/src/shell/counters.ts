/** What a node has counted since it started, for metrics. */
export interface GossipCounters {
  packetsSent: number;
  packetsReceived: number;
  bytesSent: number;
  bytesReceived: number;
  /** Connections opened, and those of them that failed. */
  exchanges: number;
  exchangesFailed: number;
  streamsReceived: number;
  /** Packets and streams sealed with none of the keys, or not at all. */
  refused: number;
  /** Messages in what was opened that were none. */
  malformed: number;
}

export function newCounters(): GossipCounters {
  return {
    ...{ packetsSent: 0, packetsReceived: 0, bytesSent: 0, bytesReceived: 0 },
    ...{ exchanges: 0, exchangesFailed: 0, streamsReceived: 0, refused: 0, malformed: 0 },
  };
}
