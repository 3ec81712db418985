import { Code, type Random, RpcError } from '@skep/platform';
import type { Containerd } from '../containerd/containerd.js';
import type { Descriptor } from '../containerd/types.js';
import { hasCode } from './ingest.js';
import type { KeyedMutex } from './keyed-mutex.js';
import type { LeaseScope } from './lease.js';

export interface UnpackLayer {
  /** The layer as stored, packed or not. */
  layer: Descriptor;
  /** Digest of the unpacked layer, which the config vouches for. */
  diffId: string;
  /** Snapshot to make, and the one below it (empty for the lowest). */
  chainId: string;
  parent: string;
}

export async function hasSnapshot(containerd: Containerd, name: string): Promise<boolean> {
  try {
    const info = await containerd.snapshots.stat(name);
    return info.kind === 'committed';
  } catch (error) {
    if (hasCode(error, Code.NOT_FOUND)) return false;
    throw error;
  }
}

/**
 * Makes a layer's snapshot, once however many ask for it at a time. Interrupted anywhere, nothing
 * but an extraction snapshot of the lease is left.
 */
export async function unpackLayer(
  deps: { mutex: KeyedMutex; random: Random },
  scope: LeaseScope,
  request: UnpackLayer,
): Promise<void> {
  await deps.mutex.run(`unpack ${request.chainId}`, async () => {
    await scope.keepSnapshot(request.chainId);
    if (await hasSnapshot(scope.containerd, request.chainId)) return;
    await extract(deps.random, scope, request);
  });
}

async function extract(random: Random, scope: LeaseScope, request: UnpackLayer): Promise<void> {
  const { snapshots, diff } = scope.containerd;
  const { layer, diffId, chainId, parent } = request;
  const key = `extract-${Buffer.from(random.bytes(8)).toString('hex')} ${chainId}`;
  const mounts = await snapshots.prepare(key, parent);
  try {
    const applied = await diff.apply(layer, mounts);
    if (applied.digest !== diffId) {
      const message = `wrong diff id calculated on extraction "${applied.digest}"`;
      throw new RpcError(Code.DATA_LOSS, message);
    }
    await snapshots.commit(chainId, key);
  } catch (error) {
    await snapshots.remove(key).catch(() => {}); // the lease's end removes it as well
    if (!hasCode(error, Code.ALREADY_EXISTS)) throw error;
  }
}
