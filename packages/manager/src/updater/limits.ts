/** What an update's status quotes at most of a task's error, and of its last log line, in characters. */
export const QUOTE_CHARS_MAX = 300;
