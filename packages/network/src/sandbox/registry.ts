import type { SandboxRequest, SandboxState } from '@skep/containers';
import type { SandboxPlan } from './plan.js';

/** A sandbox that stands. */
export interface Sandbox {
  request: SandboxRequest;
  state: SandboxState;
  plan: SandboxPlan;
}

/** Which containers have a sandbox; read by the answers of `docker network inspect`. */
export class SandboxRegistry {
  readonly #sandboxes = new Map<string, Sandbox>();

  get(containerId: string): Sandbox | undefined {
    return this.#sandboxes.get(containerId);
  }

  set(sandbox: Sandbox): void {
    this.#sandboxes.set(sandbox.request.containerId, sandbox);
  }

  delete(containerId: string): void {
    this.#sandboxes.delete(containerId);
  }

  all(): Sandbox[] {
    return [...this.#sandboxes.values()];
  }
}
