import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { Code, errorMessage, RpcError } from '@skep/platform';

/** A message, or what makes one, as bytes. */
export function encode<T extends DescMessage>(schema: T, message: MessageInitShape<T>): Uint8Array {
  return toBinary(schema, create(schema, message));
}

/** Throws INTERNAL, as Go does, for bytes that are not such a message. */
export function decode<T extends DescMessage>(schema: T, bytes: Uint8Array): MessageShape<T> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    const text = `grpc: failed to unmarshal the received message: ${errorMessage(error)}`;
    throw new RpcError(Code.INTERNAL, text, { cause: error });
  }
}
