export { allowedAt, methodPath } from './authorize/roles.js';
export * from './contract.js';
export { NotSentError } from './errors.js';
export { GrpcDialer, type GrpcDialerOptions } from './grpc/dialer.js';
export { GrpcHost, type GrpcHostOptions } from './grpc/host.js';
