import { rmSync } from 'node:fs';
import { Code, errorMessage, RpcError } from '@skep/platform';
import type { Container } from '../engine/container.js';
import { type EngineContext, emitContainer } from '../engine/context.js';
import { cancelRestart } from './exit-handler.js';
import { removeImageLayers, unmountImages } from './image-mounts.js';
import { removeInjectedFiles } from './injected-files.js';
import { unmountRoot } from './root-mount.js';
import { conflict, type Stopper } from './stopper.js';

/** Removes containers with all that is theirs. */
export class Remover {
  readonly #context: EngineContext;
  readonly #stopper: Stopper;

  constructor(context: EngineContext, stopper: Stopper) {
    this.#context = context;
    this.#stopper = stopper;
  }

  async remove(container: Container, options: { force: boolean; volumes: boolean }): Promise<void> {
    if (container.removing) {
      throw conflict(`removal of container ${container.id} is already in progress`);
    }
    await container.queue.idle();
    this.#requireRemovable(container, options.force);
    if (container.removing) {
      throw conflict(`removal of container ${container.id} is already in progress`);
    }
    container.removing = true;
    try {
      cancelRestart(this.#context, container);
      if (container.running) await this.#stopper.kill(container, container.id);
      await container.queue.run(() => this.#remove(container, options.volumes));
    } catch (error) {
      container.removing = false;
      throw error;
    }
  }

  #requireRemovable(container: Container, force: boolean): void {
    const { state } = container.status;
    if (force || !state.Running) return;
    const name = `cannot remove container "/${container.name}"`;
    if (state.Paused) {
      throw conflict(`${name}: container is paused and must be unpaused first`);
    }
    const what = state.Restarting ? 'restarting' : 'running';
    throw conflict(
      `${name}: container is ${what}: stop the container before removing or force remove`,
    );
  }

  async #remove(container: Container, volumes: boolean): Promise<void> {
    const context = this.#context;
    const { id } = container;
    void container.log.release();
    unmountRoot(context, id);
    removeInjectedFiles(context, id);
    unmountImages(context, id, container.record.mounts);
    await removeImageLayers(context, id, container.record.mounts);
    try {
      await context.containerd.snapshots.remove(id);
    } catch (error) {
      if (!(error instanceof RpcError && error.code === Code.NOT_FOUND)) throw error;
    }
    rmSync(context.paths.run(id), { recursive: true, force: true });
    // A client that attached and never started it must not wait for ever.
    container.streams?.discard();
    context.records.remove(id);
    context.containers.remove(container);
    if (volumes) await this.#removeVolumes(container);
    emitContainer(context, container, 'destroy');
    container.announceRemoval();
  }

  /** Only volumes that nobody named go with their container. */
  async #removeVolumes(container: Container): Promise<void> {
    for (const mount of container.record.mounts) {
      if (mount.Type !== 'volume' || !mount.anonymous || !mount.Name) continue;
      try {
        await this.#context.volumes.remove(mount.Name, true);
      } catch (error) {
        // Another container took it over with --volumes-from or by name: Docker leaves it as well.
        const fields = { volume: mount.Name, error: errorMessage(error) };
        this.#context.logger.info(fields, 'anonymous volume kept');
      }
    }
  }
}
