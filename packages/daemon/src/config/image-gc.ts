import { DEFAULT_IMAGE_GC, type ImageGcPolicy } from '@skep/executor';
import { parseDurationMs } from '@skep/wire';
import { OptionsError } from './options.js';

const MS_PER_SECOND = 1_000;

/** What the flags `--image-gc-…` say; Docker's durations. */
export function imageGc(
  high: string | undefined,
  low: string | undefined,
  maxAge: string | undefined,
): ImageGcPolicy {
  const highPercent = percent('image-gc-high', high) ?? DEFAULT_IMAGE_GC.highPercent;
  const lowPercent =
    percent('image-gc-low', low) ?? Math.min(highPercent, DEFAULT_IMAGE_GC.lowPercent);
  if (lowPercent > highPercent) {
    throw new OptionsError(`--image-gc-low ${lowPercent} is above --image-gc-high ${highPercent}`);
  }
  const maxAgeMs = maxAge === undefined || maxAge === '0' ? 0 : parseDurationMs(maxAge);
  if (maxAgeMs === undefined || maxAgeMs < 0) {
    throw new OptionsError(`invalid duration for --image-gc-max-age: ${maxAge}`);
  }
  return { highPercent, lowPercent, maxAgeMs };
}

function percent(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,3}$/.test(text) || Number(text) > 100) {
    throw new OptionsError(`invalid value for --${flag}: ${text} (0 to 100 percent)`);
  }
  return Number(text);
}

/** A policy as `docker info` shows it. */
export function imageGcText({ highPercent, lowPercent, maxAgeMs }: ImageGcPolicy): string {
  const marks = `above ${highPercent}% of the disk, down to ${lowPercent}%`;
  return maxAgeMs === 0 ? marks : `${marks}; unused for ${maxAgeMs / MS_PER_SECOND}s`;
}
