/** Bounds of fetching images from other nodes, and of serving them. */

/** Time a manager has to answer a question about images. */
export const MANAGER_ANSWER_MS = 2_000;

/** Time nodes have, connection included, to say whether they have an image. */
export const FIND_TIMEOUT_MS = 2_000;

/** Nodes asked at a time whether they have an image. */
export const FIND_PARALLEL = 4;

/** Nodes that one image is fetched from in turns. */
export const SOURCES_MAX = 3;

/** Times that each node is asked for the same part: what breaks off or comes damaged is asked for again. */
export const READS_OF_PART_MAX = 2;

/** Time a node has to send the first bytes of what it said to have. */
export const READ_TIMEOUT_MS = 10_000;

/** Parts of images that a node sends at a time; who asks for more tries elsewhere. */
export const READS_MAX = 8;

/** Bytes of one message. */
export const PIECE_BYTES_MAX = 512 * 1024;

/** Time for which a manager's leave to send an image holds, for one node. */
export const LEAVE_KEPT_MS = 30_000;

/** Leaves kept at a time; the oldest goes first. */
export const LEAVES_MAX = 1_024;
