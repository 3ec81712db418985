import type { RenameContainerRequest, RenameContainerResponse } from '@skep/wire/skep';
import type {
  AttachNetworkRequest,
  AttachNetworkResponse,
  DetachNetworkRequest,
  DetachNetworkResponse,
} from '@skep/wire/swarmkit';

/** A manager's addresses for containers that are no tasks, as a node asks for them (wire.md 3.9). */
export interface NetworkResources {
  /** Resolves when the address is kept for the container; it comes as a task of the attachment's id. */
  attachNetwork(request: AttachNetworkRequest): Promise<AttachNetworkResponse>;
  /** Rejects NOT_FOUND for an attachment that is gone already. */
  detachNetwork(request: DetachNetworkRequest): Promise<DetachNetworkResponse>;
  /** What is attached is called otherwise. Rejects UNIMPLEMENTED where a Docker Engine manages. */
  renameContainer(request: RenameContainerRequest): Promise<RenameContainerResponse>;
}
