import { Code, RpcError } from '@skep/platform';
import { shortId } from '../digest.js';
import type { Image } from '../index-map.js';

/** The code whose HTTP status is 409, Docker's for conflicts. */
const CONFLICT = Code.ALREADY_EXISTS;

/** A container made from an image. */
export interface ImageUser {
  id: string;
  running: boolean;
}

/** Who uses an image. */
export type FindUsers = (imageId: string) => ImageUser[] | Promise<ImageUser[]>;

function conflict(image: Image, how: string, reason: string): RpcError {
  const message = `conflict: unable to delete ${shortId(image.id)} (${how}) - ${reason}`;
  return new RpcError(CONFLICT, message);
}

/** Why an image may not be deleted: not at all, or not without force. */
export function deleteConflict(
  image: Image,
  users: readonly ImageUser[],
  options: { force: boolean; ignoreNames?: boolean },
): RpcError | undefined {
  const running = users.find((user) => user.running);
  if (running) {
    const reason = `image is being used by running container ${shortId(running.id)}`;
    return conflict(image, 'cannot be forced', reason);
  }
  if (options.force) return undefined;
  if (!options.ignoreNames && image.names.some((name) => !name.dangling)) {
    return conflict(image, 'must be forced', 'image is referenced in multiple repositories');
  }
  const [stopped] = users;
  if (!stopped) return undefined;
  const reason = `image is being used by stopped container ${shortId(stopped.id)}`;
  return conflict(image, 'must be forced', reason);
}

/** Why the last name of an image in use may not be taken away without force. */
export function untagConflict(text: string, image: Image, user: ImageUser): RpcError {
  const using = `container ${shortId(user.id)} is using its referenced image ${shortId(image.id)}`;
  const refusal = `conflict: unable to remove repository reference "${text}" (must force)`;
  return new RpcError(CONFLICT, `${refusal} - ${using}`);
}
