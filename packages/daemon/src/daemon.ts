import type { Server } from 'node:http';
import { join } from 'node:path';
import { readyServer } from '@skep/api';
import { CfsslAuthority, RealHttpsClient } from '@skep/ca';
import type { Images } from '@skep/containers';
import { ContainerAttachments, ContainerExecutor, ImageJanitor } from '@skep/executor';
import {
  type Cancel,
  errorMessage,
  RealClock,
  RealDisk,
  RealProcesses,
  RealRandom,
} from '@skep/platform';
import { GrpcDialer, GrpcHost } from '@skep/rpc';
import { assembleApi } from './api.js';
import type { DaemonOptions } from './config/options.js';
import { diskSpace } from './disk-space.js';
import { engineId } from './engine-id.js';
import { type EngineRooms, openEngineRooms } from './engine-rooms.js';
import { gatherFacts, nodeFacts } from './facts.js';
import { adaptHeap } from './heap.js';
import { hostSubnets } from './host-routes.js';
import { listen } from './http/listen.js';
import { systemInterfaces } from './interfaces.js';
import { serveMetrics } from './metrics/serve.js';
import type { Platform } from './platform.js';
import { imagePeers, neededImages } from './swarm/image-peers.js';
import { NO_MANAGER_YET, SwarmMembership } from './swarm/membership.js';
import { NodeNetworks } from './swarm/networks/node-networks.js';

/** Puts the rooms together, opens the doors, and closes them again in reverse. */
export class Daemon {
  readonly #platform: Platform;
  readonly #options: DaemonOptions;
  #rooms: EngineRooms | undefined;
  #networks: NodeNetworks | undefined;
  #attachments: ContainerAttachments | undefined;
  #membership: SwarmMembership | undefined;
  #janitor: ImageJanitor | undefined;
  /** The membership of the last run, if any, has been taken up. */
  #isTakenUp = false;
  #servers: Server[] = [];
  #forgetHeap: Cancel = () => {};

  constructor(options: DaemonOptions, platform: Pick<Platform, 'log' | 'onFatal'>) {
    this.#options = options;
    this.#platform = {
      ...platform,
      clock: new RealClock(),
      random: new RealRandom(),
      disk: new RealDisk(),
    };
  }

  /** Resolves when the API answers and the node has taken up everything it ran before. */
  async start(): Promise<void> {
    const { clock, disk, log, random } = this.#platform;
    const options = this.#options;
    this.#forgetHeap = adaptHeap(clock);
    for (const root of [options.dataRoot, options.execRoot]) await disk.makeDirectory(root, 0o711);
    const id = await engineId(disk, random, join(options.dataRoot, 'engine-id'));
    const containerAttachments = this.#openAttachments();
    this.#attachments = containerAttachments;
    const rooms = await openEngineRooms(options, this.#platform, containerAttachments);
    this.#rooms = rooms;
    const networks = new NodeNetworks({
      network: rooms.network,
      disk,
      clock,
      random,
      logger: log,
      directory: join(options.execRoot, 'network'),
    });
    this.#networks = networks;
    await networks.restore();
    const facts = await gatherFacts(options, id, new RealProcesses());
    const executor = new ContainerExecutor({
      engine: rooms.containers,
      images: rooms.images,
      imagePeers: imagePeers(() => this.#membership?.images),
      volumes: rooms.volumes,
      networks,
      traffic: rooms.network.traffic,
      containerAttachments,
      disk,
      clock,
      logger: log,
      facts: () => nodeFacts(facts),
    });
    const membership = new SwarmMembership({
      ...this.#platform,
      directory: join(options.dataRoot, 'swarm'),
      executor,
      doors: (identity) => ({
        dialer: new GrpcDialer({ identity, clock, random }),
        host: new GrpcHost({ identity, clock, logger: log, onFatal: this.#platform.onFatal }),
        external: new CfsslAuthority({
          https: new RealHttpsClient(),
          clock,
          log,
          identity: () => identity.current(),
        }),
      }),
      isOwnHost: (host) => systemInterfaces().some(({ addresses }) => addresses.includes(host)),
      hostSubnets,
      networkTables: networks,
      imageShelf: rooms.images,
      onSession: (message) => networks.onSession(message),
      encryption: () => {
        const { wireguard, hasIpsec } = rooms.network.encryption;
        return { wireguard, ipsec: hasIpsec };
      },
    });
    this.#membership = membership;
    const janitor = this.#openJanitor(rooms.images, membership);
    this.#janitor = janitor;
    networks.follow(membership);
    await membership.restore();
    this.#isTakenUp = true;
    janitor.start();
    networks.settle();
    const parts = { rooms, membership, executor, facts, log, clock, random };
    const api = await readyServer(assembleApi(parts));
    for (const host of options.hosts) {
      this.#servers.push(await listen(api, host, options.tls));
      log.info({ host }, 'the API listens');
    }
    await this.#serveMetrics(rooms, membership, networks);
  }

  async #serveMetrics(
    { containers, images, network }: EngineRooms,
    membership: SwarmMembership,
    networks: NodeNetworks,
  ): Promise<void> {
    const { metricsAddress } = this.#options;
    if (!metricsAddress) return;
    const imageBytes = () => ({
      pulled: images.traffic,
      sent: membership.images?.traffic.sentBytes ?? 0,
    });
    const measured = {
      ...{ containers, network, images: imageBytes },
      store: () => membership.view(),
      gossip: () => networks.gossip,
    };
    this.#servers.push(await serveMetrics(metricsAddress, measured));
  }

  #openJanitor(images: Images, membership: SwarmMembership): ImageJanitor {
    const { clock, log: logger } = this.#platform;
    const { dataRoot, imageGc: policy } = this.#options;
    const needed = () => neededImages(membership);
    return new ImageJanitor({
      images,
      needed,
      space: () => diskSpace(dataRoot),
      policy,
      clock,
      logger,
    });
  }

  #openAttachments(): ContainerAttachments {
    const { clock, log: logger } = this.#platform;
    // Containers that start with the daemon ask before it knows whether it is in a swarm.
    const resources = () =>
      this.#isTakenUp ? this.#membership?.networkResources() : NO_MANAGER_YET;
    return new ContainerAttachments({ clock, logger, resources });
  }

  /** Stops serving and lets go of everything. Containers go on, and are taken over at the next start. */
  async stop(): Promise<void> {
    this.#forgetHeap();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
    this.#attachments?.close();
    this.#networks?.unfollow();
    await this.#step('clearing up images', () => this.#janitor?.stop());
    await this.#step('leaving the swarm session', () => this.#membership?.stop());
    await this.#step('keeping the networks', () => this.#networks?.close());
    await this.#step('closing the engine', () => this.#rooms?.close());
  }

  async #step(what: string, run: () => Promise<void> | undefined): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#platform.log.error({ error: errorMessage(error) }, `${what} failed`);
    }
  }
}
