import { createNodeRequest, type NodeCertificateRequest, type RootCa } from '@skep/ca';
import { RealClock, RealRandom, type RpcError } from '@skep/platform';
import { type Channel, GrpcDialer, type TlsIdentity } from '@skep/rpc';

/** How long a manager may take to refuse. */
const ANSWER_TIMEOUT_MS = 20_000;

/** A clock that shows another time of day than it is. */
export function clockOff(byMs: number): RealClock {
  const clock = new RealClock();
  return Object.assign(clock, { now: () => Date.now() + byMs });
}

/** A certificate by an authority, and its key. */
export function forge(
  root: RootCa,
  request: Omit<NodeCertificateRequest, 'csrPem'>,
  trusted = root,
): TlsIdentity {
  const { csrPem, keyPem } = createNodeRequest();
  const certificatePem = root.signNodeCertificate({ ...request, csrPem });
  return { rootPem: trusted.certificatePem, certificatePem, keyPem };
}

/** Somebody who calls managers directly, with whatever certificate he has, as a node would. */
export class Intruder {
  readonly #dialer: GrpcDialer;
  readonly #channel: Channel;

  constructor(address: string, identity: TlsIdentity, withCertificate = true) {
    this.#dialer = new GrpcDialer({
      identity: { current: () => identity, onChange: () => () => {} },
      clock: new RealClock(),
      random: new RealRandom(),
    });
    this.#channel = this.#dialer.dial(address, { serverName: 'swarm-manager', withCertificate });
  }

  readonly unary: Channel['unary'] = (method, request, options) =>
    this.#channel.unary(method, request, { timeoutMs: ANSWER_TIMEOUT_MS, ...options });

  /** The first message of a stream. */
  readonly first = async (...call: Parameters<Channel['serverStream']>): Promise<unknown> => {
    const [method, request] = call;
    const stream = this.#channel.serverStream(method, request, { timeoutMs: ANSWER_TIMEOUT_MS });
    for await (const message of stream) return message;
    return undefined;
  };

  /** How a call that must fail was refused: in Go's words. */
  async refusal(call: Promise<unknown>): Promise<string> {
    const error: RpcError = await call.then(
      (answer) => {
        throw new Error(`not refused: ${JSON.stringify(answer)}`);
      },
      (refused) => refused,
    );
    return error.toGoString();
  }

  close(): void {
    this.#dialer.close();
  }
}
