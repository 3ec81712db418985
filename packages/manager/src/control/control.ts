import type { Control } from '../contract.js';
import { clusterControl } from './cluster/cluster-control.js';
import { configControl } from './config/config-control.js';
import type { ControlContext } from './context.js';
import { networkControl } from './network/network-control.js';
import { nodeControl } from './node/node-control.js';
import { secretControl } from './secret/secret-control.js';
import { serviceControl } from './service/service-control.js';
import { taskControl } from './task/task-control.js';

/** The manager's control service over a store. It keeps no state of its own. */
export function createControl(context: ControlContext): Control {
  return {
    ...nodeControl(context),
    ...taskControl(context),
    ...serviceControl(context),
    ...networkControl(context),
    ...clusterControl(context),
    ...secretControl(context),
    ...configControl(context),
  };
}
