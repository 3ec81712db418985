/** Messages and services of our own managers among themselves. */
export * from './gen/skep/v1/peers_pb.js';
