/**
 * Making published ports answer (the routing mesh), as the executor of tasks asks for it. Calls for one task
 * come one after the other.
 */

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

/** A port of a service published in ingress mode. */
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
  /** The task's address in the ingress network, without prefix length: `10.0.0.5`. */
  address: string;
  /** Never empty. */
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
  /** The node's own endpoint in it, with prefix length: `10.0.0.2/24`. */
  nodeAddress: string;
}

export interface ServicePublisher {
  /** The task takes its share of the connections when this resolves. Repeating it does nothing. */
  activate(task: PublishedTask): Promise<void>;
  /** New connections go elsewhere when this resolves; no error for a task never activated. */
  deactivate(taskId: string): Promise<void>;
  /** The node's ingress attachment, or undefined for none (anything published is then withdrawn). */
  configureNode(ingress: IngressAttachment | undefined): Promise<void>;
  /**
   * Called once after a restart, when these are all the tasks whose containers still live: whatever is
   * published for any other task is withdrawn. Live ones stay published and are activated again later.
   */
  restored(liveTaskIds: readonly string[]): Promise<void>;
}
