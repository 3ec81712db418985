/** The bounds of volume plugins. Units are in the names. */

/** Docker's times for calls that do something (create, remove, mount, unmount), and for those that ask. */
export const PLUGIN_WORK_TIMEOUT_MS = 120_000;
export const PLUGIN_QUERY_TIMEOUT_MS = 60_000;
/** How long all plugins together are waited for where one may be dead: listing, describing the node. */
export const PLUGIN_SCAN_TIMEOUT_MS = 2_000;
/** A plugin that is being restarted is tried again for this long, at first after the shortest wait. */
export const PLUGIN_RETRY_MS_MAX = 30_000;
export const PLUGIN_RETRY_MS_FIRST = 1_000;
/** Longest answer of a plugin. */
export const PLUGIN_ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** Largest file that describes a plugin. */
export const PLUGIN_SPEC_BYTES_MAX = 64 * 1024;
/** Plugins that are looked at; a directory with more holds something else. */
export const PLUGINS_MAX = 64;
/** Longest name of a volume of a plugin, encoded as a file name. */
export const VOLUME_NAME_BYTES_MAX = 255;
