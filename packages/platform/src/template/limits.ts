/** Longest template, in UTF-16 units: the largest config (1 MB) is one. */
export const TEMPLATE_LENGTH_MAX = 1_048_576;
/** Longest text that a template, or a function in it, may come to, in UTF-16 units. */
export const TEMPLATE_OUTPUT_LENGTH_MAX = 4_194_304;
/** Parentheses within parentheses, blocks within blocks. */
export const TEMPLATE_DEPTH_MAX = 32;
/** Pieces of a template that may be worked out, each as often as a `range` repeats it. */
export const TEMPLATE_STEPS_MAX = 100_000;
/** Width and precision of a `printf` verb. */
export const PRINTF_WIDTH_MAX = 1_024;
