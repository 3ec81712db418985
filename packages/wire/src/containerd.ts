/**
 * containerd's gRPC services, one namespace each because their message names repeat
 * (`tasks.GetRequest`, `content.Info`, `snapshots.Info`, …).
 */
export * as events from './gen/containerd/events/events_pb.js';
export * as runc from './gen/containerd/runc/v1/options_pb.js';
export * as containers from './gen/containerd/services/containers/v1/containers_pb.js';
export * as content from './gen/containerd/services/content/v1/content_pb.js';
export * as diff from './gen/containerd/services/diff/v1/diff_pb.js';
export * as eventService from './gen/containerd/services/events/v1/events_pb.js';
export * as images from './gen/containerd/services/images/v1/images_pb.js';
export * as introspection from './gen/containerd/services/introspection/v1/introspection_pb.js';
export * as leases from './gen/containerd/services/leases/v1/leases_pb.js';
export * as namespaces from './gen/containerd/services/namespaces/v1/namespaces_pb.js';
export * as snapshots from './gen/containerd/services/snapshots/v1/snapshots_pb.js';
export * as tasks from './gen/containerd/services/tasks/v1/tasks_pb.js';
export * as version from './gen/containerd/services/version/v1/version_pb.js';
export * as types from './gen/containerd/types/types_pb.js';
export * as taskTypes from './gen/containerd/v1/types/task_pb.js';
