import { nodeNames } from '@skep/ca';
import { type Clock, Code, type InvariantError, RpcError } from '@skep/platform';
import { joinAddress, splitAddress } from '../address.js';
import type { ConnectOptions } from '../client/connection.js';
import { ConnectionDialer, type DialerOptions } from '../client/dialer.js';
import type { Dialer, Host, IdentitySource, Listener, ServeOptions } from '../contract.js';
import { MethodTable } from '../methods.js';
import { peerOf } from '../peer.js';
import type { VerifiedCertificates } from './certificates.js';
import { SimClientConnection } from './client-connection.js';
import type { SimRoutes } from './routes.js';
import type { Segment } from './segment.js';
import { SimServerConnection } from './server-connection.js';
import { SimWire, type WireEnd } from './wire.js';

export interface SimHostWorld {
  routes: SimRoutes;
  certificates: VerifiedCertificates;
  find(address: string): SimHost | undefined;
}

export interface SimServerOptions {
  identity: IdentitySource;
  /** The node's clock. */
  clock: Clock;
  /** An invariant broke while a call was answered. */
  onFatal(error: InvariantError): void;
}

interface Listening {
  options: SimServerOptions & ServeOptions;
  methods: MethodTable;
  connections: Set<SimServerConnection>;
}

/** First port given out for port 0. */
const PORT_FIRST = 32_768;

/** A simulated machine with its one process, which dies and is started again. */
export class SimHost {
  /** Its IP. */
  readonly address: string;
  readonly #world: SimHostWorld;
  readonly #listeners = new Map<number, Listening>();
  #nextPort = PORT_FIRST;
  /** Which process runs: what earlier ones still do has no effect. */
  #process = 0;

  constructor(address: string, world: SimHostWorld) {
    this.address = address;
    this.#world = world;
  }

  /** The dialer of the process that runs now. Calls it makes after that died never end. */
  dialer(options: DialerOptions): Dialer & { close(): void } {
    const process = this.#process;
    return new ConnectionDialer(options, (connect) => this.#open(process, options, connect));
  }

  /** The listening side of the process that runs now. */
  server(options: SimServerOptions): Host {
    const process = this.#process;
    return { serve: (serve) => this.#serve(process, { ...options, ...serve }) };
  }

  /** The process dies; the machine's kernel says so to all it was connected with. */
  kill(): void {
    this.#endProcess((wire, side) => wire.reset(side, 'connection reset by peer'));
  }

  /** The machine loses power, and nobody is told. */
  powerOff(): void {
    this.#world.routes.setHost(this.address, 'down');
    this.#endProcess((wire, side) => wire.vanish(side));
  }

  #endProcess(end: (wire: SimWire, side: 'client' | 'server') => void): void {
    this.#process++;
    this.#listeners.clear();
    for (const wire of this.#world.routes.wiresAt(this.address)) {
      for (const side of ['client', 'server'] as const) {
        if (wire.hostOf(side) === this.address && wire.has(side)) end(wire, side);
      }
    }
  }

  #open(
    process: number,
    { clock }: DialerOptions,
    options: ConnectOptions,
  ): Promise<SimClientConnection> {
    if (process !== this.#process) return new Promise(() => undefined);
    const { routes, find } = this.#world;
    const { host } = splitAddress(options.address);
    const wire = new SimWire(routes, this.address, host);
    routes.add(wire);
    // Where there is no machine at all, nobody answers.
    wire.attach('server', { receive: (segment) => find(host)?.onConnect(wire, segment) });
    return SimClientConnection.open(wire, options, (certificatePem) =>
      this.#serverRefusal(certificatePem, options, clock.now()),
    );
  }

  #serverRefusal(
    certificatePem: string,
    { rootPem, serverName }: Pick<ConnectOptions, 'rootPem' | 'serverName'>,
    nowMs: number,
  ): string | undefined {
    if (rootPem === undefined) return undefined;
    const { verify } = this.#world.certificates;
    const peer = peerOf(this.address, certificatePem, rootPem, nowMs, verify);
    if (peer.refusal !== undefined) return peer.refusal;
    const names = peer.identity ? nodeNames(peer.identity.nodeId, peer.identity.role) : [];
    if (names.includes(serverName)) return undefined;
    return `x509: certificate is valid for ${names.join(', ')}, not ${serverName}`;
  }

  /** The first segment of a connection reaches this machine. */
  onConnect(wire: SimWire, segment: Segment): void {
    if (segment.kind !== 'connect') {
      wire.vanish('server');
      return;
    }
    const listening = this.#listeners.get(segment.port);
    const identity = listening?.options.identity.current();
    if (!listening || !identity) {
      wire.reset('server', 'connection refused');
      return;
    }
    wire.attach('server', this.#accept(wire, segment.certificatePem, identity.rootPem, listening));
    wire.send('server', { kind: 'accept', certificatePem: identity.certificatePem });
  }

  #accept(
    wire: SimWire,
    certificatePem: string | undefined,
    rootPem: string,
    { options, methods, connections }: Listening,
  ): WireEnd {
    const { verify } = this.#world.certificates;
    const address = wire.hostOf('client');
    const peer = peerOf(address, certificatePem, rootPem, options.clock.now(), verify);
    const onOver = () => void connections.delete(connection);
    const connection = new SimServerConnection(wire, peer, { ...options, methods, onOver });
    connections.add(connection);
    return connection;
  }

  async #serve(process: number, options: SimServerOptions & ServeOptions): Promise<Listener> {
    if (process !== this.#process) return new Promise(() => undefined);
    if (!options.identity.current()) {
      throw new RpcError(Code.FAILED_PRECONDITION, 'the node has no certificate yet');
    }
    const wanted = splitAddress(options.address).port;
    const port = wanted === 0 ? this.#nextPort++ : wanted;
    if (this.#listeners.has(port)) {
      const text = `listen tcp ${options.address}: bind: address already in use`;
      const failed = `failed to listen on remote API address: ${text}`;
      throw new RpcError(Code.FAILED_PRECONDITION, failed);
    }
    const methods = new MethodTable(options.services);
    const connections = new Set<SimServerConnection>();
    const listening = { options, methods, connections };
    this.#listeners.set(port, listening);
    const close = async () => {
      if (this.#listeners.get(port) === listening) this.#listeners.delete(port);
      for (const connection of [...connections]) connection.close();
    };
    return { address: joinAddress(this.address, port), close };
  }
}
