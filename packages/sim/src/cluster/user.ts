import type { Control } from '@skep/manager';
import { errorMessage } from '@skep/platform';
import type { Draw } from '../engine/index.js';
import { type Asker, changeConfig, changeService } from './services/index.js';
import { Wishes } from './wishes.js';
import type { ClusterWorld } from './world.js';

/** Time after which a user gives a request up, ms; its outcome is then not known. */
const ANSWER_WITHIN_MS = 20_000;
const SERVICES_MAX = 2;
const CONFIG_PROBABILITY = 0.15;

export interface UserOptions {
  name: string;
  world: ClusterWorld;
  draw: Draw;
  /** Longest pause between two requests, ms. */
  pauseMsMax: number;
}

/** Somebody who makes, changes and removes services and a config of their own, through any manager. */
export class User {
  readonly wishes = new Wishes();
  readonly #options: UserOptions;
  readonly #asker: Asker;
  #isStopped = false;
  #number = 0;

  constructor(options: UserOptions) {
    const { draw } = options;
    this.#options = options;
    this.#asker = { draw, wishes: this.wishes, nextNumber: () => ++this.#number };
  }

  stop(): void {
    this.#isStopped = true;
  }

  async run(): Promise<void> {
    const { draw, name: user, pauseMsMax, world } = this.#options;
    const config = `${user}-config`;
    while (!this.#isStopped) {
      const name = draw.chance(CONFIG_PROBABILITY)
        ? config
        : `${user}-${draw.between(1, SERVICES_MAX)}`;
      await this.#request(name, (control) =>
        name === config
          ? changeConfig(this.#asker, control, config)
          : changeService(this.#asker, control, name, config),
      );
      await world.timeline.sleep(draw.between(1, pauseMsMax));
    }
  }

  /** One request, at a manager that is at work; nothing where there is none. */
  async #request(name: string, change: (control: Control) => Promise<string>): Promise<void> {
    const { draw, world } = this.#options;
    const working = world.wanted.filter(({ member }) => member?.manager);
    if (working.length === 0) return;
    const { life, member } = draw.pick(working);
    const control = member?.manager?.control;
    if (!life || !control) return;
    const late = world.timeline.sleep(ANSWER_WITHIN_MS);
    const unknown = Promise.race([late, life.ended]).then(() => 'no answer');
    world.changesUnderWay++;
    const outcome = change(control).catch((error: unknown) => `is refused: ${errorMessage(error)}`);
    world.note(this.#options.name, `${name}: ${await Promise.race([outcome, unknown])}`);
    world.changesUnderWay--;
  }
}
