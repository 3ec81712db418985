import type { ProgressMessage, RegistryAuth, ResolvedImage, TaskPull } from '@skep/containers';
import { Code, RpcError } from '@skep/platform';
import type { TaskImages } from '../controller/room.js';
import type { ImagePeers, PeerImageSource } from '../image/route.js';

interface FakePull {
  reference: string;
  auth: RegistryAuth | undefined;
  from: string;
  task: TaskPull | undefined;
  signal: AbortSignal;
}

/** Images that are here, and a registry that does as it is told. */
export class FakeImages implements TaskImages {
  readonly here = new Set<string>();
  readonly pulls: FakePull[] = [];
  /** What the registry does with a pull. */
  registry: (reference: string) => AsyncIterable<ProgressMessage> = (reference) =>
    this.serve(reference);

  /** What comes of a pull from other nodes. */
  peers: (reference: string) => AsyncIterable<ProgressMessage> = (reference) =>
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
    options: Parameters<TaskImages['pull']>[1],
  ): AsyncIterable<ProgressMessage> {
    const signal = options.signal ?? new AbortController().signal;
    const { auth, source, task } = options;
    this.pulls.push({ reference, auth, from: source?.name ?? 'registry', task, signal });
    return source ? this.peers(reference) : this.registry(reference);
  }

  async usedByTask(reference: string): Promise<ResolvedImage> {
    if (!this.here.has(reference)) {
      throw new RpcError(Code.NOT_FOUND, `No such image: ${reference}`);
    }
    return { id: 'sha256:1', chainId: '', config: {}, architecture: 'amd64', os: 'linux' };
  }
}

/** Other nodes, which have what a test gives them. */
export class FakePeers implements ImagePeers {
  /** Images, and whether a task of them runs there. */
  readonly have = new Map<string, { likely: boolean }>();
  readonly asked: { image: string; likelyOnly: boolean }[] = [];
  /** Sources that were not given back. */
  open = 0;

  async find(
    image: string,
    { likelyOnly }: { likelyOnly: boolean },
  ): Promise<PeerImageSource | undefined> {
    this.asked.push({ image, likelyOnly });
    const held = this.have.get(image);
    if (!held || (likelyOnly && !held.likely)) return undefined;
    this.open++;
    return {
      name: 'node n2',
      target: { mediaType: '', digest: 'sha256:1', size: 1 },
      restricted: false,
      read: async function* () {},
      close: () => {
        this.open--;
      },
    };
  }
}
