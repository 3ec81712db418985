/**
 * Making published ports answer (the routing mesh), as the executor asks for it. The shapes equal
 * those of the executor's own contract; it knows this package, not the other way round.
 */

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

export interface IngressPort {
  protocol: PortProtocol;
  /** In the container, 1 … 65535. */
  targetPort: number;
  /** On every node, 1 … 65535. */
  publishedPort: number;
}

/** One task that can take connections for its service. */
export interface PublishedTask {
  serviceId: string;
  serviceName: string;
  taskId: string;
  /** In the ingress network, without prefix length. */
  address: string;
  ports: IngressPort[];
}

/** The ingress network as this node is attached to it. */
export interface IngressAttachment {
  networkId: string;
  networkName: string;
  /** `10.0.0.0/24`. */
  subnet: string;
  /** Without prefix length. */
  gateway: string;
  /** The node's own endpoint, with prefix length. */
  nodeAddress: string;
}

export interface ServicePublisher {
  /** The task takes its share of the connections when this resolves. Repeating it does nothing. */
  activate(task: PublishedTask): Promise<void>;
  /** New connections go elsewhere when this resolves; no error for a task never activated. */
  deactivate(taskId: string): Promise<void>;
  /** The node's ingress attachment; undefined for none: what is published is then withdrawn. */
  configureNode(ingress: IngressAttachment | undefined): Promise<void>;
  /** Once after a restart: withdraws what is published for tasks that no longer live. */
  restored(liveTaskIds: readonly string[]): Promise<void>;
}
