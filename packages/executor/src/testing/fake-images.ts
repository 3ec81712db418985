import type { ProgressMessage, RegistryAuth, ResolvedImage } from '@skep/containers';
import { Code, RpcError } from '@skep/platform';
import type { TaskImages } from '../controller/room.js';

/** Images that are here, and a registry that does as it is told. */
export class FakeImages implements TaskImages {
  readonly here = new Set<string>();
  readonly pulls: { reference: string; auth: RegistryAuth | undefined; signal: AbortSignal }[] = [];
  /** What the registry does with a pull. */
  registry: (reference: string) => AsyncIterable<ProgressMessage> = (reference) =>
    this.serve(reference);

  async *serve(reference: string): AsyncIterable<ProgressMessage> {
    yield { status: 'Pulling' };
    this.here.add(reference);
  }

  async *refuse(message: string): AsyncIterable<ProgressMessage> {
    yield* [];
    throw new RpcError(Code.UNAVAILABLE, message);
  }

  async *hang(): AsyncIterable<ProgressMessage> {
    yield* [];
    await new Promise(() => {});
  }

  pull(
    reference: string,
    options: { auth?: RegistryAuth; signal?: AbortSignal },
  ): AsyncIterable<ProgressMessage> {
    const signal = options.signal ?? new AbortController().signal;
    this.pulls.push({ reference, auth: options.auth, signal });
    return this.registry(reference);
  }

  async resolve(reference: string): Promise<ResolvedImage> {
    if (!this.here.has(reference)) {
      throw new RpcError(Code.NOT_FOUND, `No such image: ${reference}`);
    }
    return { id: 'sha256:1', chainId: '', config: {}, architecture: 'amd64', os: 'linux' };
  }
}
