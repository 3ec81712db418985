/**
 * What memberlist and networkdb do by the clock, as a Docker Engine has it (memberlist's DefaultLAN), and
 * how much of anything is taken from others. All other nodes count on the former: change them nowhere else.
 */

/** Where nodes gossip, UDP and TCP. Docker has no option for it. */
export const GOSSIP_PORT = 7946;

// Packets and streams

/** Of one UDP packet, what seals it included. */
export const PACKET_BYTES = 1_400;
/** Of a UDP packet taken: others may have been given a larger MTU. */
export const PACKET_BYTES_MAX = 65_507;
/** Of one message over TCP, sealed. */
export const STREAM_BYTES_MAX = 20 * 2 ** 20;
/** Of what a message over TCP, or a packet, may unpack to. */
export const UNPACKED_BYTES_MAX = 40 * 2 ** 20;
/** Compound in compressed in checksummed, and one more. */
export const NESTING_MAX = 4;
export const MESSAGES_PER_PACKET_MAX = 1_024;
export const NODE_NAME_BYTES_MAX = 256;
export const META_BYTES_MAX = 512;
export const VERSIONS_BYTES_MAX = 16;
export const ERROR_BYTES_MAX = 4_096;
export const ACK_PAYLOAD_BYTES_MAX = 1_400;
/** A connection is given up after that. */
export const STREAM_TIMEOUT_MS = 10_000;
/**
 * An attempt to join, or to find again who is not heard of: soon given up, as whoever is back should not
 * wait for an attempt that was begun while he was away.
 */
export const JOIN_TIMEOUT_MS = 3_000;
/** Connections of others at a time. */
export const STREAMS_MAX = 128;

/** Of messages of others that are not whole, together: none of it is known to be of the cluster yet. */
export const WAITING_BYTES_MAX = 64 * 2 ** 20;

// Members

/** Nodes known at a time; more are not taken. */
export const MEMBERS_MAX = 10_000;
export const PROBE_INTERVAL_MS = 1_000;
export const PROBE_TIMEOUT_MS = 500;
export const INDIRECT_PROBES = 3;
export const SUSPICION_FACTOR = 4;
/** How much longer a suspicion lasts that nobody confirms. */
export const SUSPICION_FACTOR_MAX = 6;
/** A node's doubt in its own health is below this. */
export const AWARENESS_MAX = 8;
export const GOSSIP_INTERVAL_MS = 200;
export const GOSSIP_NODES = 3;
/** A dead node is told of its death for so long, and then forgotten by the membership. */
export const GOSSIP_TO_DEAD_MS = 30_000;
export const PUSH_PULL_INTERVAL_MS = 30_000;
/** Above this number of nodes they exchange all they know less often. */
export const PUSH_PULL_SCALE_NODES = 32;
export const RETRANSMIT_FACTOR = 4;
/** Pings passed on for others, and their acknowledgements waited for, at a time. */
export const RELAYED_PROBES_MAX = 1_024;
/** Messages waiting to be told on, of each kind. */
export const BROADCASTS_MAX = 4_096;
/** How long a node that leaves waits for others to have heard of it. */
export const LEAVE_TIMEOUT_MS = 1_000;

// Tables

/** Networks that one node takes part in, and networks it hears of. */
export const NETWORKS_MAX = 10_000;
export const NETWORK_ID_BYTES_MAX = 128;
export const TABLE_NAME_BYTES_MAX = 128;
export const KEY_BYTES_MAX = 256;
export const VALUE_BYTES_MAX = 256 * 1_024;
/** Entries of one network, deleted ones included. */
export const ENTRIES_MAX = 100_000;
/** A deleted entry is remembered for so long, so that nobody brings it back. */
export const TOMBSTONE_MS = 30 * 60_000;
/** What a node says of a network that it left is remembered a little longer than its entries. */
export const LEFT_NETWORK_MS = TOMBSTONE_MS + 25_000;
/** A node that failed may come back for so long. */
export const FAILED_NODE_MS = 24 * 3_600_000;
export const REAP_INTERVAL_MS = 5_000;
export const BULK_SYNC_INTERVAL_MS = 30_000;
export const BULK_SYNC_TIMEOUT_MS = 30_000;
/** Whoever asked for everything is asked for nothing for so long: it asks again for its next network. */
export const ASKED_REST_MS = 5_000;
/** Of the entries in one message of a bulk sync; more make more messages. */
export const BULK_SYNC_BYTES = 4 * 2 ** 20;
/** A network just joined is asked of no more than so many of its nodes. */
export const JOIN_SYNCS_MAX = 8;
/** Rest after an exchange that failed. */
export const RETRY_INTERVAL_MS = 1_000;
/** How often one of the addresses is tried behind which no member is known. */
export const SEED_INTERVAL_MS = 5_000;
export const SEEDS_MAX = 64;
/** What a bulk sync brings is told on only while fewer messages wait. */
export const QUEUED_AT_SYNC_MAX = 500;
/** A clock that goes beyond was tampered with: nobody counts that far. */
export const LAMPORT_TIME_MAX = 2n ** 62n;
