import type { Draw } from '../../engine/index.js';
import type { Wishes } from '../wishes.js';

/** Who asks for services and configs, and what they were told. */
export interface Asker {
  draw: Draw;
  wishes: Wishes;
  /** Another each time. */
  nextNumber(): number;
}
