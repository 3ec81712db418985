/** Messages and services of our own kind of node: managers among themselves, and with agents. */
export * from './gen/skep/v1/images_pb.js';
export * from './gen/skep/v1/networks_pb.js';
export * from './gen/skep/v1/peers_pb.js';
export * from './gen/skep/v1/reports_pb.js';
