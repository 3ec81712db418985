import { create } from '@bufbuild/protobuf';
import type { ImagesService } from '@skep/manager';
import type { Channel } from '@skep/rpc';
import { Images, LocateImageRequestSchema, MayHaveImageRequestSchema } from '@skep/wire/skep';
import type { ImagesLink } from './contract.js';
import { MANAGER_ANSWER_MS } from './limits.js';

/** A manager over the channel of the session with it. */
export function channelImages(channel: Channel): ImagesLink {
  const { locate, mayHave, needed } = Images.method;
  const options = { timeoutMs: MANAGER_ANSWER_MS };
  return {
    locate: (image) => channel.unary(locate, { image }, options),
    mayHave: (request) => channel.unary(mayHave, request, options),
    needed: () => channel.unary(needed, {}, options),
  };
}

/** The manager in the same process. */
export function localImages(nodeId: string, images: ImagesService): ImagesLink {
  return {
    locate: (image) => images.locate(nodeId, create(LocateImageRequestSchema, { image })),
    mayHave: (request) => images.mayHave(nodeId, create(MayHaveImageRequestSchema, request)),
    needed: () => images.needed(),
  };
}
