/** Limits of the images room. */

/** A manifest or index: registries refuse larger ones too (distribution's limit). */
export const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;

/** An image's config; real ones are a few kB, ones with long histories some hundred. */
export const CONFIG_BYTES_MAX = 8 * 1024 * 1024;

/** Layers of one image: overlayfs takes 128 and Docker 127; foreign tools stay below too. */
export const LAYERS_MAX = 256;

/** Manifests looked at in one index or archive. */
export const MANIFESTS_MAX = 256;

/** Depth of indexes inside indexes. */
export const INDEX_DEPTH_MAX = 3;

/** Files in an archive given to load. */
export const ARCHIVE_FILES_MAX = 100_000;

/** How long a lease outlives a daemon that died while it held it. */
export const LEASE_EXPIRE_MS = 24 * 60 * 60_000;

/** Images whose details are read at once when the index is built. */
export const INDEX_CONCURRENCY = 8;

/** Layers downloaded at once by this daemon, as dockerd's max-concurrent-downloads. */
export const DOWNLOADS_MAX = 3;

/** Attempts at one layer before the pull fails, as dockerd's max-download-attempts. */
export const DOWNLOAD_ATTEMPTS_MAX = 5;

/** Wait between two attempts: doubles from the first to the last. */
export const DOWNLOAD_BACKOFF_MS = { first: 500, last: 10_000 };

/** Least time between two progress messages of one layer. */
export const PROGRESS_INTERVAL_MS = 100;

/** Another daemon's or an earlier upload holds an ingest: how often and how long we ask again. */
export const INGEST_LOCKED_ATTEMPTS_MAX = 100;
export const INGEST_LOCKED_WAIT_MS = 100;

/** How long a registry may take to say what a name means when the image is on this node. */
export const DISTRIBUTION_PATIENCE_MS = 3_000;

/** Names of which it is remembered what they meant when a registry was asked last. */
export const DISTRIBUTION_KNOWN_MAX = 256;
