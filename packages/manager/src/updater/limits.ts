/** What an update's status quotes at most of a task's error, and of its last log line, in characters. */
export const QUOTE_CHARS_MAX = 300;

/**
 * How long nobody may have left a place before the old task of a slot makes its own free for a
 * successor that found none: the scheduler needs a moment to hand on what has become free.
 */
export const MAKE_WAY_AFTER_MS = 500;
