import { isoTime } from '../records/record.js';

/** Marks the writable layers that this engine made. */
export const LAYER_LABEL = 'skep.container';
/** Keeps a snapshot from containerd's garbage collection. */
const GC_ROOT_LABEL = 'containerd.io/gc.root';

/** Labels of a layer that belongs to a container from now on, ms since the epoch. */
export function layerLabels(containerId: string, nowMs: number): Record<string, string> {
  return { [GC_ROOT_LABEL]: isoTime(nowMs), [LAYER_LABEL]: containerId };
}
