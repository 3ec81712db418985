/** The bounds of the engine room, in one place. Units are in the names. */

/** Containers that are started at the same time; the kernel serialises most of the work anyway. */
export const PARALLEL_STARTS_MAX = 8;
/** Operations that may wait for one container; more is a client gone wild. */
export const OPERATIONS_PER_CONTAINER_MAX = 128;

/** Of the file that a container's changing status is added to, before it is replaced by a short one. */
export const STATUS_FILE_BYTES_MAX = 64 * 1024;

/** Docker's length of a piece of a long line in its logs. */
export const LOG_LINE_BYTES_MAX = 16 * 1024;
/** Default bound of one log file, and how many are kept: at most 30 MB for a container. */
export const LOG_FILE_BYTES_DEFAULT = 10_000_000;
export const LOG_FILES_DEFAULT = 3;
/** The same for the `local` driver and for copies of remote logs: Docker's. */
export const LOCAL_LOG_FILE_BYTES_DEFAULT = 20 * 1024 * 1024;
export const LOCAL_LOG_FILES_DEFAULT = 5;
/** Bytes of entries that may wait for a log's receiver, of one container, when nothing is said. */
export const LOG_BUFFER_BYTES_DEFAULT = 1024 * 1024;
/** Entries given to a receiver at once. */
export const LOG_SEND_BYTES = 64 * 1024;
/** How long a container is held back for a receiver that takes nothing, ms. */
export const LOG_HOLD_MS_MAX = 5_000;
/** How long a receiver may take to be reached, and to take what is sent, ms. */
export const LOG_CONNECT_MS_MAX = 10_000;
export const LOG_SEND_MS_MAX = 30_000;
/** Waits between attempts to reach a receiver: first and longest, ms. */
export const LOG_RECONNECT_MS_FIRST = 100;
export const LOG_RECONNECT_MS_MAX = 10_000;
/** How soon a datagram is tried again that a socket of this machine has no room for, ms. */
export const LOG_DATAGRAM_RETRY_MS = 10;
/** What is left after a container's end, or the daemon's, is still sent for, ms. */
export const LOG_FLUSH_MS = 2_000;

/** Block in which log files are read. */
export const LOG_READ_BLOCK_BYTES = 64 * 1024;

/**
 * Bytes taken at once from a stream that is logged. A container that runs holds twice as much memory
 * (`/run`), and more at once is not faster.
 */
export const LOG_CHUNK_BYTES = 16 * 1024;

/** Bytes read from a stream that is not logged at once: the size of a pipe in the kernel. */
export const STREAM_CHUNK_BYTES = 64 * 1024;
/** Bytes that may wait for a slow attached client before the container's output is held back. */
export const SESSION_BACKLOG_BYTES = 1024 * 1024;
/** How long the streams of a process that ended may stay open (held by its children), ms. */
export const STREAM_DRAIN_MS = 2_000;

/** Output of a health probe that is kept, and how many results (Docker's numbers). */
export const HEALTH_OUTPUT_BYTES_MAX = 4096;
export const HEALTH_LOG_ENTRIES_MAX = 5;

/** Exec sessions that are remembered for one container after they ended. */
export const EXECS_PER_CONTAINER_MAX = 1024;
/** How long an exec that ended can still be inspected, ms. */
export const EXEC_KEPT_MS = 5 * 60_000;

/** Docker's stop timeout when none is given, ms. */
export const STOP_TIMEOUT_MS_DEFAULT = 10_000;
/** How long a process that got SIGKILL may take to go (disk wait), ms. */
export const KILL_WAIT_MS = 10_000;

/**
 * Restart back-off: first delay, longest delay, and run time after which it starts over (Docker's),
 * ms.
 */
export const RESTART_DELAY_MS_FIRST = 100;
export const RESTART_DELAY_MS_MAX = 60_000;
export const RESTART_RESET_MS = 10_000;

/** Docker's default size of /dev/shm. */
export const SHM_BYTES_DEFAULT = 64 * 1024 * 1024;
/** Smallest memory limit Docker takes. */
export const MEMORY_BYTES_MIN = 6 * 1024 * 1024;

/** How long sizing the volumes or writable layers for `system df` may take, ms. */
export const USAGE_TIMEOUT_MS = 10_000;

/** Symbolic links followed when a path inside a container is looked up (Linux' own bound). */
export const SYMLINKS_MAX = 40;
/** Largest /etc/passwd or /etc/group that is read from an image. */
export const ACCOUNT_FILE_BYTES_MAX = 4 * 1024 * 1024;

/** Containers that are compared with reality at once when the daemon starts. */
export const PARALLEL_RESTORES_MAX = 16;

/** How often, and after which waits, a start tries again while a killed daemon's one is still under way. */
export const STALE_TASK_ATTEMPTS_MAX = 40;
export const STALE_TASK_RETRY_MS = 250;
