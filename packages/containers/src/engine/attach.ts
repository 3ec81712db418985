import type { AttachOptions, LogEntry, OutputChunk, StreamSession } from '../contract/engine.js';
import { readLog } from '../logs/log-reader.js';
import { conflict } from '../run/stopper.js';
import type { ProcessStreams } from '../stdio/process-streams.js';
import type { Container } from './container.js';

/** Connects a client to a container that runs or is about to be started. */
export function attachTo(
  container: Container,
  options: AttachOptions,
  streamsOf: (container: Container) => ProcessStreams,
): StreamSession {
  const { state } = container.status;
  if (state.Paused) {
    throw conflict(`container ${container.id} is paused, unpause the container before attach`);
  }
  if (state.Restarting) {
    throw conflict(`container ${container.id} is restarting, wait until the container is running`);
  }
  const live = options.stream && (state.Running || state.Status === 'created' || !options.logs);
  const session = live ? streamsOf(container).attach(options) : undefined;
  const { StdinOnce, Tty } = container.record.config;
  return {
    output: output(container, options, session),
    write: (data) => session?.write(data) ?? Promise.resolve(),
    closeInput: async () => {
      // Only `-i` without a terminal ends the process's input with the client's.
      if (StdinOnce && !Tty) await session?.closeInput();
    },
    detach: () => session?.detach(),
  };
}

async function* output(
  container: Container,
  options: AttachOptions,
  session: StreamSession | undefined,
): AsyncGenerator<OutputChunk> {
  if (options.logs) {
    const past = { stdout: options.stdout, stderr: options.stderr, follow: false };
    for await (const entry of readLog(container.log, past, new AbortController().signal)) {
      yield chunkOf(entry);
    }
  }
  if (session) yield* session.output;
}

function chunkOf(entry: LogEntry): OutputChunk {
  return { stream: entry.stream, data: entry.line };
}
