export { networksOfNode } from './derive.js';
export type { NetworksFlaw, NetworksFlaws } from './flaws.js';
export { Networks, type NetworksOptions } from './networks.js';
export { SimTables } from './tables.sim.js';
