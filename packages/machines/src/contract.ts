/**
 * What runs in a machine: our daemon, the dockerd installed on the host, or nothing until somebody
 * starts something.
 */
export const ENGINES = ['skepd', 'dockerd', 'none'] as const;
export type Engine = (typeof ENGINES)[number];

/** A machine as it is kept on disk. */
export interface MachineRecord {
  /** Its host name too. */
  name: string;
  driver: 'netns';
  /** IPv4, for life. */
  address: string;
  engine: Engine;
  /** Flags of the engine: `--label=disk=ssd`. */
  engineFlags: string[];
  /** Whether its cable hangs loose. */
  disconnected: boolean;
  /** RFC 3339. */
  createdAt: string;
}

/** docker-machine's words, of those its states that a machine of namespaces can have. */
export type MachineState = 'Running' | 'Stopped';

/** A machine as it is now. */
export interface MachineStatus extends MachineRecord {
  state: MachineState;
  /** Process 1 of the machine, in the host's numbering; undefined while it is stopped. */
  pid: number | undefined;
  /** `unix://…` of its engine, for clients on the host. */
  url: string;
}

/** What is asked of `create`. */
export interface NewMachine {
  name: string;
  engine: Engine;
  engineFlags: string[];
}

/** What a machine's engine says of itself. */
export interface EngineFacts {
  version: string;
  /** `manager`, `worker`, or empty outside of a swarm. */
  swarmRole: string;
}
