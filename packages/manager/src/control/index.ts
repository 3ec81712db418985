export { checkNewClusterSpec } from './cluster/validate-cluster.js';
export * from './context.js';
export { createControl } from './control.js';
export { isPredefined, PREDEFINED_LABEL, PREDEFINED_NETWORKS } from './network/predefined.js';
export { SERVICE_DEFAULTS, withServiceDefaults } from './service/defaults.js';
export { runtimeName } from './task/naming.js';
