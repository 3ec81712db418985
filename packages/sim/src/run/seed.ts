import type { Flaws } from '@skep/raft';
import { formatEvent, Trace, ViolationError } from '../engine/index.js';
import { drawRaftScenario, RaftRun, type RaftScenario } from '../raft/index.js';

export interface SeedOptions {
  /** Known bugs put into the code under test. */
  flaws?: Flaws;
  /** Of the scenario's faults, by their place, only these; all unless given. */
  keptFaults?: readonly number[];
  /** Events kept for the report. */
  keptEvents?: number;
}

/** What came of a seed; plain data, as it passes between processes. */
export interface SeedOutcome {
  seed: number;
  /** The same for every run of this seed with these options. */
  hash: string;
  /** Events in the world's time. */
  events: number;
  /** Places of the faults that were part of it. */
  faults: number[];
  /** Undefined when every promise was kept. */
  failure: SeedFailure | undefined;
}

export interface SeedFailure {
  rule: string;
  message: string;
  /** What the scenario was, for people. */
  scenario: string[];
  /** The last events before, as lines. */
  lastEvents: string[];
}

/** Runs one seed from beginning to end. */
export async function runSeed(seed: number, options: SeedOptions = {}): Promise<SeedOutcome> {
  const { flaws, keptFaults, keptEvents } = options;
  const trace = new Trace(keptEvents === undefined ? {} : { kept: keptEvents });
  const drawn = drawRaftScenario(seed);
  const faults = drawn.faults.map((_, place) => place);
  const kept = faults.filter((place) => keptFaults?.includes(place) ?? true);
  const scenario = { ...drawn, faults: drawn.faults.filter((_, place) => kept.includes(place)) };
  const run = new RaftRun({ scenario, trace, ...(flaws ? { flaws } : {}) });
  const error = await failureOf(() => run.run());
  const failure = error && describeFailure(error, scenario, trace);
  return { seed, hash: trace.hash, events: run.eventCount, faults: kept, failure };
}

/** What a run threw, or left unhandled: in production that, too, ends the process. */
async function failureOf(run: () => Promise<void>): Promise<ViolationError | undefined> {
  let unhandled: unknown;
  const onUnhandled = (error: unknown) => {
    unhandled ??= error;
  };
  process.on('unhandledRejection', onUnhandled);
  try {
    await run();
    if (unhandled === undefined) return undefined;
    return new ViolationError('unhandled', textOf(unhandled));
  } catch (error) {
    return error instanceof ViolationError ? error : new ViolationError('crash', textOf(error));
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function describeFailure(error: ViolationError, scenario: RaftScenario, trace: Trace): SeedFailure {
  const { faults, ...rest } = scenario;
  return {
    rule: error.rule,
    message: error.message,
    scenario: [
      JSON.stringify(rest),
      ...faults.map(({ atMs, fault }) => `${atMs} ms: ${JSON.stringify(fault)}`),
    ],
    lastEvents: trace.last.map(formatEvent),
  };
}
