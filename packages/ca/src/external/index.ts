export { SimExternalAuthority } from './authority.sim.js';
export { CfsslAuthority, type CfsslOptions } from './cfssl.js';
export * from './checks.js';
export * from './contract.js';
export { RealHttpsClient } from './https.real.js';
export { crossSigningFields, nodeCertificateFields } from './requests.js';
