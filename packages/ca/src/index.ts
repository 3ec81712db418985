export * from './certificate-files.js';
export * from './external/index.js';
export * from './join-token.js';
export * from './key-protection.js';
export { type UnlockKeyWrapping, unlockKeyWrapping } from './key-wrapping.js';
export { NODE_EXPIRY_DEFAULT_MS, NODE_EXPIRY_MIN_MS } from './limits.js';
export * from './node-certificate.js';
export * from './role.js';
export {
  certificateHash,
  checkCertificateRequest,
  issuerOf,
  type NodeCertificateRequest,
  RootCa,
  type RootCaDependencies,
  type RootCaMaterial,
} from './root-ca.js';
export * from './unlock-key.js';
export { type Validity, validityOf } from './validity.js';
export { normalizePem } from './x509/pem.js';
