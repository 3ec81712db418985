import type { Stream } from '../journal.js';

/** A line of a container's output, on its way. */
export interface LogLine {
  /** With its newline; without one it is a piece of a longer line, or the last. */
  bytes: Uint8Array;
  stream: Stream;
  timeNs: bigint;
}

/** Makes of a line what the receiver understands; undefined for what it is not sent. */
export type LogEncoder = (line: LogLine) => Buffer | undefined;

/** An open way to a log's receiver. */
export interface LogLink {
  /**
   * Hands on the first of the records, as many as the way takes now; resolves with how many, and
   * rejects when the way is lost. One call at a time.
   */
  send(records: readonly Buffer[]): Promise<number>;
  close(): void;
}

/** Where the log of a container goes. */
export interface LogDestination {
  /** For people: `syslog server tcp://10.0.0.1:514`. */
  name: string;
  encode: LogEncoder;
  /** Throws what is wrong on this node, which trying again would not mend. */
  check(): void;
  open(signal: AbortSignal): Promise<LogLink>;
}
