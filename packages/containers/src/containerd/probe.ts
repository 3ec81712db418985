import type { Clock } from '@skep/platform';
import { version } from '@skep/wire/containerd';
import { Connection } from './connection.js';
import { PROBE_TIMEOUT_MS } from './limits.js';

/** Whether a containerd answers on a socket. */
export async function probeContainerd(address: string, clock: Clock): Promise<boolean> {
  const connection = new Connection({ address, namespace: 'default', clock });
  try {
    const options = { timeoutMs: PROBE_TIMEOUT_MS };
    await connection.call(version.Version.method.version, {}, options);
    return true;
  } catch {
    return false; // whatever the reason, it cannot be used now
  } finally {
    connection.close();
  }
}
