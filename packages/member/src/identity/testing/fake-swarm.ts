import {
  create,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  createNodeRequest,
  generateJoinToken,
  type NodeRole,
  parseNodeCertificate,
  RootCa,
  roleOfToken,
} from '@skep/ca';
import { Code, newId, RpcError, type SimClock, type SimRandom } from '@skep/platform';
import {
  type BoundService,
  type CallOptions,
  type Channel,
  type Dialer,
  type DialOptions,
  type IdentitySource,
  implement,
} from '@skep/rpc';
import {
  CA,
  GetRootCACertificateResponseSchema,
  GetUnlockKeyResponseSchema,
  IssuanceStatus_State,
  type IssueNodeCertificateRequest,
  IssueNodeCertificateResponseSchema,
  NodeCA,
  type NodeCertificateStatusRequest,
  NodeCertificateStatusResponseSchema,
} from '@skep/wire/swarmkit';

interface FakeNode {
  role: NodeRole;
  csr: Uint8Array;
  certificatePem: string;
  state: IssuanceStatus_State;
  error: string;
}

interface FakeCaller {
  nodeId: string;
  role: NodeRole;
}

type Message = DescMethodUnary['input'];

/** The certificate services of a swarm's managers, at any address, as far as a node can tell. */
export class FakeSwarm {
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly clusterId: string;
  root: RootCa;
  tokens: { manager: string; worker: string };
  unlockKey: Uint8Array = new Uint8Array(0);
  unlockVersion = 7n;
  expiryMs = 3_600_000;
  /** False: requests stay pending until a test calls {@link FakeSwarm.issue}. */
  issuesAtOnce = true;
  readonly nodes = new Map<string, FakeNode>();
  /** `address method`, in order. */
  readonly calls: string[] = [];
  readonly dials: { address: string; options: DialOptions }[] = [];
  /** Addresses where nobody listens, and where nobody answers. */
  readonly down = new Set<string>();
  readonly silent = new Set<string>();
  /** Errors for the next calls of a method, in order. */
  readonly failures: Record<string, unknown[]> = {};
  open = 0;

  constructor(clock: SimClock, random: SimRandom, clusterId = 'cluster1') {
    this.clock = clock;
    this.random = random;
    this.clusterId = clusterId;
    this.root = RootCa.create({ clock, random });
    this.tokens = this.#newTokens();
  }

  rotateRoot(): void {
    this.root = RootCa.create({ clock: this.clock, random: this.random });
    this.tokens = this.#newTokens();
  }

  /** What a node of this swarm has. */
  member(role: NodeRole, nodeId = newId(this.random)) {
    const { csrPem, keyPem } = createNodeRequest();
    const certificatePem = this.#sign(csrPem, nodeId, role);
    const state = IssuanceStatus_State.ISSUED;
    this.nodes.set(nodeId, { role, csr: Buffer.from(csrPem), certificatePem, state, error: '' });
    return { nodeId, credentials: { certificatePem, keyPem }, rootPem: this.root.certificatePem };
  }

  /** Decides a node's request. */
  issue(nodeId: string, error = ''): void {
    const node = this.nodes.get(nodeId)!;
    node.error = error;
    node.state = error ? IssuanceStatus_State.FAILED : IssuanceStatus_State.ISSUED;
    if (!error) {
      node.certificatePem = this.#sign(Buffer.from(node.csr).toString(), nodeId, node.role);
    }
  }

  /** Of one node, whose certificate it shows. */
  dialer(source?: IdentitySource): Dialer {
    return {
      dial: (address, options) => {
        this.dials.push({ address, options });
        this.open++;
        return this.#channel(address, options, source);
      },
    };
  }

  #channel(address: string, options: DialOptions, source?: IdentitySource): Channel {
    const identity =
      options.identity ?? (options.withCertificate === false ? undefined : source?.current());
    const unsupported = () => {
      throw new RpcError(Code.UNIMPLEMENTED, 'no streams here');
    };
    return {
      address,
      unary: async (method, request, callOptions) => {
        this.calls.push(`${address} ${method.name}`);
        await this.#connect(address, callOptions ?? {});
        const failure = this.failures[method.name]?.shift();
        if (failure) throw failure;
        const caller = identity && parseNodeCertificate(identity.certificatePem);
        return this.#answer(method, request, caller);
      },
      serverStream: unsupported,
      clientStream: unsupported,
      exchange: unsupported,
      onConnection: unsupported,
      close: () => void this.open--,
    };
  }

  async #connect(address: string, { signal, timeoutMs }: CallOptions): Promise<void> {
    if (this.down.has(address)) {
      throw new RpcError(Code.UNAVAILABLE, `connect ECONNREFUSED ${address}`);
    }
    if (!this.silent.has(address)) return;
    await this.clock.sleep(timeoutMs ?? Number.MAX_SAFE_INTEGER, signal);
    throw new RpcError(Code.DEADLINE_EXCEEDED, 'context deadline exceeded');
  }

  #answer<I extends Message, O extends Message>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    caller: FakeCaller | undefined,
  ): MessageShape<O> {
    const received = fromBinary(
      method.input,
      toBinary(method.input, create(method.input, request)),
    );
    const answer = this.#serve(method.name, received, caller) as MessageShape<O>;
    return fromBinary(method.output, toBinary(method.output, answer));
  }

  /** The same services, for a network. */
  services(): BoundService[] {
    return [
      implement(CA, {
        getRootCACertificate: async () => this.#root(),
        getUnlockKey: async (_, { caller }) => this.#unlock(caller.identity),
      }),
      implement(NodeCA, {
        issueNodeCertificate: async (request, { caller }) => this.#issue(request, caller.identity),
        nodeCertificateStatus: async (request) => this.#status(request),
      }),
    ];
  }

  #serve(name: string, request: unknown, caller: FakeCaller | undefined): unknown {
    switch (name) {
      case 'GetRootCACertificate':
        return this.#root();
      case 'GetUnlockKey':
        return this.#unlock(caller);
      case 'IssueNodeCertificate':
        return this.#issue(request as IssueNodeCertificateRequest, caller);
      default:
        return this.#status(request as NodeCertificateStatusRequest);
    }
  }

  #root() {
    const certificate = Buffer.from(this.root.certificatePem);
    return create(GetRootCACertificateResponseSchema, { certificate });
  }

  #unlock(caller: FakeCaller | undefined) {
    if (caller?.role !== 'manager') throw new RpcError(Code.PERMISSION_DENIED, 'managers only');
    const message = { unlockKey: this.unlockKey, version: { index: this.unlockVersion } };
    return create(GetUnlockKeyResponseSchema, message);
  }

  #issue(request: IssueNodeCertificateRequest, caller: FakeCaller | undefined) {
    const nodeId = this.#issueRequest(request, caller?.nodeId);
    return create(IssueNodeCertificateResponseSchema, { nodeId });
  }

  #issueRequest({ csr, token }: IssueNodeCertificateRequest, callerId: string | undefined): string {
    const known = callerId === undefined ? undefined : this.nodes.get(callerId);
    if (callerId !== undefined && !known) throw new RpcError(Code.NOT_FOUND, 'node not found');
    const role = known?.role ?? roleOfToken(token, this.tokens);
    if (!role) {
      const text = 'A valid join token is necessary to join this cluster';
      throw new RpcError(Code.INVALID_ARGUMENT, text);
    }
    const nodeId = callerId ?? newId(this.random);
    const state = known ? IssuanceStatus_State.RENEW : IssuanceStatus_State.PENDING;
    const certificatePem = known?.certificatePem ?? '';
    this.nodes.set(nodeId, { role, csr, certificatePem, state, error: '' });
    if (this.issuesAtOnce) this.issue(nodeId);
    return nodeId;
  }

  #status({ nodeId }: NodeCertificateStatusRequest) {
    const node = this.nodes.get(nodeId);
    if (!node) throw new RpcError(Code.NOT_FOUND, 'node not found');
    if (node.state === IssuanceStatus_State.PENDING || node.state === IssuanceStatus_State.RENEW) {
      throw new RpcError(Code.DEADLINE_EXCEEDED, 'context deadline exceeded');
    }
    return create(NodeCertificateStatusResponseSchema, {
      status: { state: node.state, err: node.error },
      certificate: { csr: node.csr, certificate: Buffer.from(node.certificatePem) },
    });
  }

  #sign(csrPem: string, nodeId: string, role: NodeRole): string {
    const { clusterId, expiryMs } = this;
    return this.root.signNodeCertificate({ csrPem, nodeId, role, clusterId, expiryMs });
  }

  #newTokens() {
    const token = () => generateJoinToken(this.root.certificatePem, this.random);
    return { manager: token(), worker: token() };
  }
}
