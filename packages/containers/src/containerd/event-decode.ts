import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import type { eventService } from '@skep/wire/containerd';
import { events } from '@skep/wire/containerd';
import { timestampNs } from './services/encoding.js';
import type { ContainerdEvent } from './types.js';

type Untimed<E> = E extends unknown ? Omit<E, 'timeNs'> : never;
type Decoder = (value: Uint8Array) => Untimed<ContainerdEvent>;

function decoder<S extends DescMessage>(
  schema: S,
  convert: (message: MessageShape<S>) => Untimed<ContainerdEvent>,
): Decoder {
  return (value) => convert(fromBinary(schema, value));
}

const DECODERS: Record<string, Decoder> = {
  '/tasks/exit': decoder(events.TaskExitSchema, (event) => ({
    kind: 'task-exit',
    containerId: event.containerId,
    // The first process is announced under the container's own id.
    execId: event.id === event.containerId ? '' : event.id,
    pid: event.pid,
    exitStatus: event.exitStatus,
    exitedNs: timestampNs(event.exitedAt),
  })),
  '/tasks/oom': decoder(events.TaskOOMSchema, ({ containerId }) => ({
    kind: 'task-oom',
    containerId,
  })),
  '/images/create': decoder(events.ImageCreateSchema, ({ name }) => ({
    kind: 'image-create',
    name,
  })),
  '/images/update': decoder(events.ImageUpdateSchema, ({ name }) => ({
    kind: 'image-update',
    name,
  })),
  '/images/delete': decoder(events.ImageDeleteSchema, ({ name }) => ({
    kind: 'image-delete',
    name,
  })),
};

/** Topics of the events that are understood here. */
export const EVENT_TOPICS: readonly string[] = Object.keys(DECODERS);

/** The event of an envelope; undefined for topics nobody here listens to. */
export function decodeEvent(envelope: eventService.Envelope): ContainerdEvent | undefined {
  const decode = DECODERS[envelope.topic];
  if (!decode || !envelope.event) return undefined;
  const event = decode(envelope.event.value);
  return { ...event, timeNs: timestampNs(envelope.timestamp) } as ContainerdEvent;
}
