import { errorMessage, RpcError } from '@skep/platform';
import { type LogMessage, LogStream } from '@skep/wire/swarmkit';
import { formatAttributes, isoNs } from '../routes/logs.js';
import { frame } from '../server/stdcopy.js';

/** How a client wants service logs. */
export interface LogForm {
  /** Each line starts with what it comes from. */
  details: boolean;
  timestamps: boolean;
  /** With a header before each line; services with a terminal send bare bytes. */
  framed: boolean;
}

const NS_PER_S = 1_000_000_000n;
const CONTEXT_PREFIX = 'com.docker.swarm';

/** The bytes of one log message. */
export function logMessageChunk(message: LogMessage, form: LogForm): Uint8Array {
  const { timestamp, data } = message;
  let prefix = '';
  if (form.timestamps) {
    const timeNs = (timestamp?.seconds ?? 0n) * NS_PER_S + BigInt(timestamp?.nanos ?? 0);
    prefix = `${isoNs(timeNs)} `;
  }
  if (form.details) prefix += `${formatAttributes(attributesOf(message))} `;
  const line = prefix === '' ? data : Buffer.concat([Buffer.from(prefix), data]);
  if (!form.framed) return line;
  return frame(message.stream === LogStream.STDERR ? 'stderr' : 'stdout', line);
}

/** The message's own attributes, and where it comes from: on that the swarm has the last word. */
function attributesOf({ attrs, context }: LogMessage): Record<string, string> {
  return {
    ...Object.fromEntries(attrs.map(({ key, value }) => [key, value])),
    [`${CONTEXT_PREFIX}.node.id`]: context?.nodeId ?? '',
    [`${CONTEXT_PREFIX}.service.id`]: context?.serviceId ?? '',
    [`${CONTEXT_PREFIX}.task.id`]: context?.taskId ?? '',
  };
}

/** A failure after the stream has begun, as a line of its own. */
export function logErrorChunk(error: unknown, form: LogForm): Uint8Array {
  const text = error instanceof RpcError ? error.toGoString() : errorMessage(error);
  const line = Buffer.from(`Error grabbing logs: ${text}\n`);
  return form.framed ? frame('systemerr', line) : line;
}
