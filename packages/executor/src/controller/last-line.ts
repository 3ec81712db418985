import { LAST_LINE_CHARS_MAX, LAST_LINES_READ } from '../limits.js';
import type { ControllerRoom } from './room.js';

/** How programs ask terminals for colours. */
const COLOURS = /\u001b\[[0-9;]*m/g;

/** Anything else that would make more than one line of it, or that a terminal would act on. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]+/gu;

/**
 * The last line a container printed, on either stream, fit to be shown in a sentence; empty where it
 * printed none or its log cannot be read here.
 */
export async function lastLine(
  { engine }: Pick<ControllerRoom, 'engine'>,
  containerId: string,
  signal: AbortSignal,
): Promise<string> {
  let last = '';
  try {
    const wanted = { follow: false, stdout: true, stderr: true, tail: LAST_LINES_READ };
    for await (const { line } of engine.logs(containerId, wanted, signal)) {
      const text = new TextDecoder().decode(line).replace(COLOURS, '');
      const shown = text.replace(UNPRINTABLE, ' ').trim();
      if (shown !== '') last = shown;
    }
  } catch {
    // Its log is kept elsewhere, or nowhere: the reason it ended says what there is to say.
  }
  const characters = [...last];
  return characters.length > LAST_LINE_CHARS_MAX
    ? `${characters.slice(0, LAST_LINE_CHARS_MAX).join('')}…`
    : last;
}
