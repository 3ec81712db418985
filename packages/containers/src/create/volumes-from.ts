import { Code, RpcError } from '@skep/platform';
import type { MountRecord } from '../records/record.js';
import type { WantedMount } from './mount-requests.js';

/** Mounts that a container takes over from others; `mountsOf` knows those of a container by name. */
export function inheritedMounts(
  specifications: readonly string[],
  mountsOf: (container: string) => readonly MountRecord[],
): WantedMount[] {
  return specifications.flatMap((specification) => {
    const { container, readOnly } = parseVolumesFrom(specification);
    // What is in memory belongs to one container alone.
    const shared = mountsOf(container).filter(({ Type }) => Type === 'bind' || Type === 'volume');
    return shared.map((mount) => ({ ...mount, RW: mount.RW && !readOnly, noCopy: true }));
  });
}

/** `container[:mode]`, in Docker's words when it is wrong. */
export function parseVolumesFrom(text: string): { container: string; readOnly: boolean } {
  if (text === '') throw invalid('volumes-from specification cannot be an empty string');
  const [container = '', ...rest] = text.split(':');
  const mode = rest.join(':');
  const options = mode === '' ? [] : mode.split(',');
  const known = options.every((option) => ['ro', 'rw', 'z', 'Z'].includes(option));
  if (!known || new Set(options.map((option) => option.toLowerCase())).size < options.length) {
    throw invalid(`invalid mode: ${mode}`);
  }
  return { container, readOnly: options.includes('ro') };
}

function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}
