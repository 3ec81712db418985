import type { NodeRole } from '@skep/ca';
import type {
  LocateImageRequest,
  LocateImageResponse,
  MayHaveImageRequest,
  MayHaveImageResponse,
  NeededImagesResponse,
  NetworksUpdate,
  RenameContainerRequest,
  RenameContainerResponse,
  WatchNetworksRequest,
  WithdrawRequest,
  WithdrawResponse,
} from '@skep/wire/skep';
import type {
  AssignmentsMessage,
  AssignmentsRequest,
  AttachNetworkRequest,
  AttachNetworkResponse,
  CreateConfigRequest,
  CreateConfigResponse,
  CreateNetworkRequest,
  CreateNetworkResponse,
  CreateSecretRequest,
  CreateSecretResponse,
  CreateServiceRequest,
  CreateServiceResponse,
  DetachNetworkRequest,
  DetachNetworkResponse,
  GetClusterRequest,
  GetClusterResponse,
  GetConfigRequest,
  GetConfigResponse,
  GetNetworkRequest,
  GetNetworkResponse,
  GetNodeRequest,
  GetNodeResponse,
  GetRootCACertificateResponse,
  GetSecretRequest,
  GetSecretResponse,
  GetServiceRequest,
  GetServiceResponse,
  GetTaskRequest,
  GetTaskResponse,
  GetUnlockKeyResponse,
  HeartbeatRequest,
  HeartbeatResponse,
  IssueNodeCertificateRequest,
  IssueNodeCertificateResponse,
  ListClustersRequest,
  ListClustersResponse,
  ListConfigsRequest,
  ListConfigsResponse,
  ListNetworksRequest,
  ListNetworksResponse,
  ListNodesRequest,
  ListNodesResponse,
  ListSecretsRequest,
  ListSecretsResponse,
  ListServiceStatusesRequest,
  ListServiceStatusesResponse,
  ListServicesRequest,
  ListServicesResponse,
  ListTasksRequest,
  ListTasksResponse,
  NodeCertificateStatusRequest,
  NodeCertificateStatusResponse,
  PublishLogsMessage,
  PublishLogsResponse,
  RaftMemberStatus_Reachability,
  RemoveConfigRequest,
  RemoveConfigResponse,
  RemoveNetworkRequest,
  RemoveNetworkResponse,
  RemoveNodeRequest,
  RemoveNodeResponse,
  RemoveSecretRequest,
  RemoveSecretResponse,
  RemoveServiceRequest,
  RemoveServiceResponse,
  RemoveTaskRequest,
  RemoveTaskResponse,
  SessionMessage,
  SessionRequest,
  SubscribeLogsMessage,
  SubscribeLogsRequest,
  SubscriptionMessage,
  UpdateClusterRequest,
  UpdateClusterResponse,
  UpdateConfigRequest,
  UpdateConfigResponse,
  UpdateNodeRequest,
  UpdateNodeResponse,
  UpdateSecretRequest,
  UpdateSecretResponse,
  UpdateServiceRequest,
  UpdateServiceResponse,
  UpdateTaskStatusRequest,
  UpdateTaskStatusResponse,
  UpdateVolumeStatusRequest,
  UpdateVolumeStatusResponse,
  WatchMessage,
  WatchRequest,
} from '@skep/wire/swarmkit';

/**
 * The services of a manager, in SwarmKit's messages: what gRPC will carry between nodes is what the rooms of
 * one process call each other with. All reject with `RpcError`.
 */

/** Reads and writes of the objects, validated. The API's only way to change anything. */
export interface Control {
  getNode(request: GetNodeRequest): Promise<GetNodeResponse>;
  listNodes(request: ListNodesRequest): Promise<ListNodesResponse>;
  updateNode(request: UpdateNodeRequest): Promise<UpdateNodeResponse>;
  removeNode(request: RemoveNodeRequest): Promise<RemoveNodeResponse>;
  getTask(request: GetTaskRequest): Promise<GetTaskResponse>;
  listTasks(request: ListTasksRequest): Promise<ListTasksResponse>;
  removeTask(request: RemoveTaskRequest): Promise<RemoveTaskResponse>;
  getService(request: GetServiceRequest): Promise<GetServiceResponse>;
  listServices(request: ListServicesRequest): Promise<ListServicesResponse>;
  createService(request: CreateServiceRequest): Promise<CreateServiceResponse>;
  updateService(request: UpdateServiceRequest): Promise<UpdateServiceResponse>;
  removeService(request: RemoveServiceRequest): Promise<RemoveServiceResponse>;
  listServiceStatuses(request: ListServiceStatusesRequest): Promise<ListServiceStatusesResponse>;
  getNetwork(request: GetNetworkRequest): Promise<GetNetworkResponse>;
  listNetworks(request: ListNetworksRequest): Promise<ListNetworksResponse>;
  createNetwork(request: CreateNetworkRequest): Promise<CreateNetworkResponse>;
  removeNetwork(request: RemoveNetworkRequest): Promise<RemoveNetworkResponse>;
  getCluster(request: GetClusterRequest): Promise<GetClusterResponse>;
  listClusters(request: ListClustersRequest): Promise<ListClustersResponse>;
  updateCluster(request: UpdateClusterRequest): Promise<UpdateClusterResponse>;
  getSecret(request: GetSecretRequest): Promise<GetSecretResponse>;
  listSecrets(request: ListSecretsRequest): Promise<ListSecretsResponse>;
  createSecret(request: CreateSecretRequest): Promise<CreateSecretResponse>;
  updateSecret(request: UpdateSecretRequest): Promise<UpdateSecretResponse>;
  removeSecret(request: RemoveSecretRequest): Promise<RemoveSecretResponse>;
  getConfig(request: GetConfigRequest): Promise<GetConfigResponse>;
  listConfigs(request: ListConfigsRequest): Promise<ListConfigsResponse>;
  createConfig(request: CreateConfigRequest): Promise<CreateConfigResponse>;
  updateConfig(request: UpdateConfigRequest): Promise<UpdateConfigResponse>;
  removeConfig(request: RemoveConfigRequest): Promise<RemoveConfigResponse>;
}

/** Sessions, assignments and status reports of nodes. `nodeId` is the caller's, from its certificate. */
export interface DispatcherService {
  /** `address` is where the node's connection comes from; it becomes `Node.status.addr`. */
  session(
    nodeId: string,
    request: SessionRequest,
    address: string,
    signal: AbortSignal,
  ): AsyncIterable<SessionMessage>;
  heartbeat(nodeId: string, request: HeartbeatRequest): Promise<HeartbeatResponse>;
  updateTaskStatus(
    nodeId: string,
    request: UpdateTaskStatusRequest,
  ): Promise<UpdateTaskStatusResponse>;
  assignments(
    nodeId: string,
    request: AssignmentsRequest,
    signal: AbortSignal,
  ): AsyncIterable<AssignmentsMessage>;
  /** Accepts what a node says of cluster volumes, of which there are none. */
  updateVolumeStatus(
    nodeId: string,
    request: UpdateVolumeStatusRequest,
  ): Promise<UpdateVolumeStatusResponse>;
}

/** What stands in the networks of a node, for nodes of our own kind. `nodeId` is the caller's. */
export interface NetworksService {
  /**
   * Updates, the first of them complete. `requests` say which are in the node's kernel; a node that
   * calls again ends its earlier call.
   */
  watch(
    nodeId: string,
    requests: AsyncIterable<WatchNetworksRequest>,
    signal: AbortSignal,
  ): AsyncIterable<NetworksUpdate>;
  /**
   * Takes a task of the node out of use. Resolves when all nodes that watch have it in their
   * kernels, or a short time later, naming those that have not.
   */
  withdraw(
    nodeId: string,
    request: WithdrawRequest,
    signal: AbortSignal,
  ): Promise<WithdrawResponse>;
}

/** Images as nodes of our own kind share and keep them. `nodeId` is the caller's. */
export interface ImagesService {
  /**
   * Where one of the node's tasks may have its image from. Rejects PERMISSION_DENIED when none uses
   * it.
   */
  locate(nodeId: string, request: LocateImageRequest): Promise<LocateImageResponse>;
  /**
   * Whether another node than the asking one has a task with a right to an image. Rejects
   * RESOURCE_EXHAUSTED when the latter has asked about too many keys that were wrong.
   */
  mayHave(askerId: string, request: MayHaveImageRequest): Promise<MayHaveImageResponse>;
  needed(): Promise<NeededImagesResponse>;
}

/** Service logs: the API subscribes, nodes listen and publish. */
export interface LogBrokerService {
  subscribeLogs(
    request: SubscribeLogsRequest,
    signal: AbortSignal,
  ): AsyncIterable<SubscribeLogsMessage>;
  listenSubscriptions(nodeId: string, signal: AbortSignal): AsyncIterable<SubscriptionMessage>;
  publishLogs(
    nodeId: string,
    messages: AsyncIterable<PublishLogsMessage>,
  ): Promise<PublishLogsResponse>;
}

/** Whom a call about certificates comes from, as its own certificate says. */
export interface CertifiedCaller {
  nodeId: string;
  role: NodeRole;
}

/** SwarmKit's CA and NodeCA services (wire.md 2.3, 2.4). The leader's. */
export interface CertificateService {
  getRootCaCertificate(): Promise<GetRootCACertificateResponse>;
  /** Only for managers; empty key while autolock is off. */
  getUnlockKey(): Promise<GetUnlockKeyResponse>;
  /** `caller` is undefined for a node that has no certificate yet, and joins by token. */
  issueNodeCertificate(
    caller: CertifiedCaller | undefined,
    request: IssueNodeCertificateRequest,
  ): Promise<IssueNodeCertificateResponse>;
  /** Resolves when the node's request is decided; the caller gives up by aborting. */
  nodeCertificateStatus(
    request: NodeCertificateStatusRequest,
    signal: AbortSignal,
  ): Promise<NodeCertificateStatusResponse>;
}

/** Attachments of plain containers to networks of the swarm (wire.md 3.9). The leader's. */
export interface ResourceAllocatorService {
  attachNetwork(nodeId: string, request: AttachNetworkRequest): Promise<AttachNetworkResponse>;
  detachNetwork(nodeId: string, request: DetachNetworkRequest): Promise<DetachNetworkResponse>;
  renameContainer(
    nodeId: string,
    request: RenameContainerRequest,
  ): Promise<RenameContainerResponse>;
}

/** A manager as the consensus room sees it. */
export interface ManagerMember {
  raftId: bigint;
  nodeId: string;
  /** `host:port` the member is reached at. */
  address: string;
  leader: boolean;
  reachability: RaftMemberStatus_Reachability;
}

/** What the leader's rooms ask of the consensus room. */
export interface ManagerMembers {
  /** Raft id of this manager. */
  readonly ownId: bigint;
  list(): readonly ManagerMember[];
  /** Whether the others keep a quorum without this member. */
  canRemove(raftId: bigint): boolean;
  /** Resolves when the member is removed from the cluster's configuration. */
  remove(raftId: bigint): Promise<void>;
  /** Hands leadership to another manager; rejects when none takes it. */
  transferLeadership(): Promise<void>;
  /** Calls `listener` when members, leader or reachability changed; returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/** The change feed of the store. */
export interface WatchService {
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchMessage>;
}

/** A control loop: reads the store, watches it, writes back. Runs on the leader only. */
export interface ControlLoop {
  /** Takes up work from what the store holds; nothing is carried over from an earlier run. */
  start(): void;
  /** Stops; resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}
