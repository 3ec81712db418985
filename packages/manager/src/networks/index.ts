export { networksOfNode } from './derive.js';
export { Networks, type NetworksOptions } from './networks.js';
export { SimTables } from './tables.sim.js';
