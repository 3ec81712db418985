/** Longest template, in UTF-16 units: the largest config (1 MB) is one. */
export const TEMPLATE_LENGTH_MAX = 1_048_576;
/** Parentheses within parentheses. */
export const TEMPLATE_DEPTH_MAX = 32;
/** Width and precision of a `printf` verb. */
export const PRINTF_WIDTH_MAX = 1_024;
