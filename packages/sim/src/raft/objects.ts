import { create } from '@bufbuild/protobuf';
import type { Transaction } from '@skep/store';
import { completeObject } from '@skep/wire';
import { ConfigSchema } from '@skep/wire/swarmkit';
import { NOTHING } from '../checkers/index.js';

/** Keys of the workload are configs of the swarm, their values what those hold. */

interface Reader {
  get: Transaction['get'];
}

export function valueAt(view: Reader, key: string): string {
  const config = view.get('config', key);
  return config ? Buffer.from(config.spec.data).toString() : NOTHING;
}

export function setValue(tx: Transaction, key: string, value: string): void {
  const data = Buffer.from(value);
  const before = tx.get('config', key);
  if (before) {
    tx.update('config', { ...before, spec: { ...before.spec, data } });
    return;
  }
  const spec = { annotations: { name: key }, data };
  tx.create('config', completeObject('config', create(ConfigSchema, { id: key, spec })));
}
