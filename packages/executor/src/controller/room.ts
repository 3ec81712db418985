import type { Dependencies } from '@skep/agent';
import type { ContainerEngine, ImageEngine, VolumeEngine } from '@skep/containers';
import type { TaskTraffic } from '@skep/network';
import type { Clock, Disk, Logger } from '@skep/platform';
import type { NodeDescription } from '@skep/wire/swarmkit';
import type { ImagePuller } from '../image/puller.js';
import type { NodeAttachments } from '../node/attachments.js';
import type { ContainerEvents } from './container-events.js';

/** What tasks need of the engine room. */
export type TaskEngine = Pick<
  ContainerEngine,
  | 'create'
  | 'disconnect'
  | 'inspect'
  | 'list'
  | 'logs'
  | 'onEvent'
  | 'remove'
  | 'start'
  | 'stop'
  | 'wait'
>;
export type TaskImages = Pick<ImageEngine, 'pull' | 'usedByTask'>;
export type TaskVolumes = Pick<VolumeEngine, 'create' | 'drivers'>;

/** What the controllers of a node share. */
export interface SharedRoom {
  engine: TaskEngine;
  volumes: TaskVolumes;
  events: ContainerEvents;
  puller: ImagePuller;
  attachments: NodeAttachments;
  traffic: TaskTraffic;
  clock: Clock;
  disk: Pick<Disk, 'stat'>;
  logger: Logger;
}

/** With what belongs to one task. */
export interface ControllerRoom extends SharedRoom {
  node: NodeDescription;
  dependencies: Dependencies;
}
