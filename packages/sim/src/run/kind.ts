import { formatEvent, Trace, ViolationError } from '../engine/index.js';

export interface SeedOptions {
  /** Known bugs put into the code under test; of the kind's own list. */
  flaws?: ReadonlySet<string>;
  /** Kinds of faults of which alone a scenario is drawn; of any unless given. */
  onlyFaults?: readonly string[];
  /** Of the scenario's faults, by their place, only these; all unless given. */
  keptFaults?: readonly number[];
  /** Events kept for the report. */
  keptEvents?: number;
}

/** What came of a seed; plain data, as it passes between processes. */
export interface SeedOutcome {
  kind: string;
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

/** A world that seeds are run in. */
export interface Kind {
  /** As `--kind` takes it. */
  name: string;
  /** Known bugs that its code under test can be given. */
  flaws: readonly string[];
  /** Kinds of faults that its scenarios are drawn of. */
  faultKinds: readonly string[];
  run(seed: number, options: SeedOptions): Promise<SeedOutcome>;
}

/** What is drawn before a run: plain data, of which the faults can be left out one by one. */
export interface Scenario {
  faults: readonly { atMs: number; fault: object }[];
}

/** A run of one scenario. */
export interface Run {
  /** Events in the world's time, so far. */
  readonly eventCount: number;
  /** Rejects with a {@link ViolationError} when a promise was broken. */
  run(): Promise<void>;
}

export interface KindParts<S extends Scenario> {
  name: string;
  flaws: readonly string[];
  /** None unless given: then `onlyFaults` cannot be asked for. */
  faultKinds?: readonly string[];
  draw(seed: number, onlyFaults?: readonly string[]): S;
  start(scenario: S, trace: Trace, flaws: ReadonlySet<string>): Run;
}

/** A kind of world from what draws its scenarios and what runs them. */
export function makeKind<S extends Scenario>(parts: KindParts<S>): Kind {
  const { name, flaws, faultKinds = [] } = parts;
  return { name, flaws, faultKinds, run: (seed, options) => runOf(parts, seed, options) };
}

async function runOf<S extends Scenario>(
  { name, flaws: known, faultKinds = [], draw, start }: KindParts<S>,
  seed: number,
  { flaws = new Set(), onlyFaults, keptFaults, keptEvents }: SeedOptions,
): Promise<SeedOutcome> {
  for (const flaw of flaws) {
    if (!known.includes(flaw)) throw new Error(`${name} knows no flaw ${flaw}`);
  }
  for (const kind of onlyFaults ?? []) {
    if (!faultKinds.includes(kind)) throw new Error(`${name} knows no fault ${kind}`);
  }
  const trace = new Trace(keptEvents === undefined ? {} : { kept: keptEvents });
  const drawn = draw(seed, onlyFaults);
  const places = drawn.faults.map((_, place) => place);
  const faults = places.filter((place) => keptFaults?.includes(place) ?? true);
  const scenario = { ...drawn, faults: drawn.faults.filter((_, place) => faults.includes(place)) };
  const run = start(scenario, trace, flaws);
  const error = await failureOf(() => run.run());
  const failure = error && describeFailure(error, scenario, trace);
  return { kind: name, seed, hash: trace.hash, events: run.eventCount, faults, failure };
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

function describeFailure(error: ViolationError, scenario: Scenario, trace: Trace): SeedFailure {
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
