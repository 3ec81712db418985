/** The network room's bounds. */

/** Batches waiting for the kernel; more are refused. */
export const KERNEL_CALLS_MAX = 16_384;

/** Namespaces whose rules can be changed without opening nftables anew; each holds a descriptor. */
export const NFT_CONTEXTS_MAX = 192;

/** Namespaces whose netfilter socket is kept open. */
export const NETFILTER_SOCKETS_MAX = 1_024;

/** Docker's range for a host port nobody chose (Linux's ephemeral ports). */
export const EPHEMERAL_PORT_MIN = 32_768;
export const EPHEMERAL_PORT_MAX = 60_999;

/** Free ports tried before a request for any port is refused. */
export const EPHEMERAL_ATTEMPTS_MAX = 512;

/** Backends behind one virtual IP or published port; a chain exists for each count in use. */
export const BACKENDS_PER_SERVICE_MAX = 4_096;

/** Virtual IPs that one container can reach; more are left out. Overlay networks are of 254 addresses. */
export const VIPS_PER_CONTAINER_MAX = 131_072;

/** Virtual IPs of services that are gone, for which clients are still refused; the oldest go first. */
export const RETIRED_VIPS_PER_NETWORK_MAX = 256;

/** Between two looks at whether the containers' tables are still as they were made. */
export const VIP_COMPARE_PERIOD_MS = 30_000;

/**
 * Time for everybody to let go of a task that stops: the manager answers within 2 s, whoever is
 * missing, and the rest is for the way there and back.
 */
export const WITHDRAW_WAIT_MS = 3_000;

/** Between two attempts to tell of a task that stops. */
export const WITHDRAW_RETRY_MS = 200;

/** How often the connections of a container that stops are counted. */
export const DRAIN_POLL_MS = 100;

/** After this time connections are counted again, though there are as many sockets as before. */
export const DRAIN_RECOUNT_MS = 1_000;

/** Between two counts, of whatever container: many that stop at once are looked at less often. */
export const DRAIN_LOOK_SPACING_MS = 10;

/** Nobody is connected when nobody was for so long. */
export const DRAIN_QUIET_MS = 200;

/** Between two looks at whether a container listens: at first, and after having doubled. */
export const LISTEN_PAUSE_MS_MIN = 5;
export const LISTEN_PAUSE_MS_MAX = 100;

/** A look is followed by a pause of so many times its own time: a busy kernel is asked less often. */
export const LISTEN_PAUSE_FACTOR = 4;

/** Slots of a published port whose clients stay with one task: even to a twentieth for 25 tasks. */
export const AFFINITY_SLOTS = 512;

/** Clients that one container remembers to have had datagrams of; more may be answered wrongly. */
export const ASKERS_PER_CONTAINER_MAX = 65_535;

/** Time that it remembers each after the last datagram, as conntrack's for flows both ways. */
export const ASKER_SECONDS = 180;

/** Time that the mesh's first change waits for the ingress network to stand. */
export const MESH_WAIT_MS = 10_000;

/** Between two looks at whether the kernel still has the mesh as it should be. */
export const MESH_COMPARE_MS = 30_000;

/** Interfaces of one container: its swarm networks and the gateway bridge. */
export const INTERFACES_PER_SANDBOX_MAX = 64;

/** Host ports bound by one container (a range counts each port). */
export const BINDINGS_PER_SANDBOX_MAX = 65_535;

export const MTU_BYTES_DEFAULT = 1_500;

/** Between two looks at the host's rules, ours and others': a question to the kernel each. */
export const HOST_COMPARE_MS = 2_000;

/** Time that a firewall's own program may take: a quarter of a second on a host at rest. */
export const FIREWALL_PROGRAM_MS = 10_000;

/** Until a firewall that did not answer, or refused, is asked again. */
export const HOST_RETRY_MS = 10_000;

/** The kernel is compared with the tables again after this time. */
export const OVERLAY_COMPARE_MS = 30_000;

/** Between two looks at whether what keeps encrypted networks secret is still there. */
export const ENCRYPTION_LOOK_MS = 2_000;

/** Time a container waits for a network that its node has just been told of. */
export const OVERLAY_WAIT_MS = 10_000;

/**
 * The tables are written to disk at most this often, and for no larger part of the time than this: a
 * hundred thousand rows take a while. A daemon killed before its last change is written takes what came
 * with that for gone until it reaches a manager, and resets its connections: so it is soon.
 */
export const TABLES_KEPT_EVERY_MS = 100;
export const TABLES_KEEPING_SHARE = 0.02;

/** Until everybody has heard by gossip that a task stops: a few rounds of 200 ms, some of them lost. */
export const GOSSIP_SPREAD_MS = 2_000;
