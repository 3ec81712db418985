export { engineFlag } from './boot/engine-flags.js';
export * from './contract.js';
export { type Entrance, entrance } from './enter.js';
export { SimHost } from './host/host.sim.js';
export { type MachineHost, realHost } from './host/machine-host.js';
export { DEFAULT_STORAGE } from './layout.js';
export { Machines, type MachinesOptions } from './machines.js';
