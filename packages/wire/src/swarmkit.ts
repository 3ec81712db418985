/** Messages and services of `docker.swarmkit.v1`, the object model of a swarm. */
export * from './gen/docker/swarmkit/v1/ca_pb.js';
export * from './gen/docker/swarmkit/v1/control_pb.js';
export * from './gen/docker/swarmkit/v1/dispatcher_pb.js';
export * from './gen/docker/swarmkit/v1/health_pb.js';
export * from './gen/docker/swarmkit/v1/logbroker_pb.js';
export * from './gen/docker/swarmkit/v1/objects_pb.js';
export * from './gen/docker/swarmkit/v1/raft_pb.js';
export * from './gen/docker/swarmkit/v1/resource_pb.js';
export * from './gen/docker/swarmkit/v1/services_pb.js';
export * from './gen/docker/swarmkit/v1/snapshot_pb.js';
export * from './gen/docker/swarmkit/v1/specs_pb.js';
export * from './gen/docker/swarmkit/v1/types_pb.js';
export * from './gen/docker/swarmkit/v1/watch_pb.js';
