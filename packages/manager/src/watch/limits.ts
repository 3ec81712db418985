/** Commits waiting for one slow watcher; past it the watch fails rather than skip one. */
export const WATCH_MESSAGES_MAX = 10_000;
