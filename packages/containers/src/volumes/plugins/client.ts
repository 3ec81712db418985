import { type Clock, Code, errorMessage, RpcError } from '@skep/platform';
import type { PluginAddress } from './discovery.js';
import { PLUGIN_RETRY_MS_FIRST, PLUGIN_RETRY_MS_MAX } from './limits.js';
import type { PluginAnswer, PluginTransport } from './transport.js';

export interface CallOptions {
  timeoutMs: number;
  /** Tried again for a while when nobody answers: the plugin may be about to start. */
  retry: boolean;
}

/** What a plugin said no with; anything else that goes wrong is no answer of it. */
export class PluginRefusal extends RpcError {
  override readonly name = 'PluginRefusal';

  constructor(message: string) {
    super(Code.INTERNAL, message);
  }
}

/** Calls one plugin, in Docker's protocol and with its words for what fails. */
export class PluginClient {
  readonly #transport: PluginTransport;
  readonly #clock: Clock;
  readonly #address: PluginAddress;

  constructor(options: { transport: PluginTransport; clock: Clock; address: PluginAddress }) {
    this.#transport = options.transport;
    this.#clock = options.clock;
    this.#address = options.address;
  }

  async call(method: string, request: object, options: CallOptions): Promise<object> {
    const answer = await this.#answer(method, JSON.stringify(request), options);
    if (answer.status !== 200) {
      const said = errorOf(parsed(answer.body)) || answer.body.trim();
      throw new PluginRefusal(`${method}: ${said}`);
    }
    const value = parsed(answer.body);
    if (!value) throw new PluginRefusal(`${method}: the plugin's answer is no JSON object`);
    const error = errorOf(value);
    if (error) throw new PluginRefusal(error);
    return value;
  }

  async #answer(method: string, body: string, options: CallOptions): Promise<PluginAnswer> {
    const startMs = this.#clock.monotonic();
    let waitMs = PLUGIN_RETRY_MS_FIRST;
    for (;;) {
      try {
        return await this.#transport.post(this.#address, method, body, options.timeoutMs);
      } catch (error) {
        const spentMs = this.#clock.monotonic() - startMs;
        if (!options.retry || spentMs + waitMs >= PLUGIN_RETRY_MS_MAX) {
          throw new RpcError(Code.INTERNAL, `${method}: ${errorMessage(error)}`, { cause: error });
        }
        await this.#clock.sleep(waitMs);
        waitMs *= 2;
      }
    }
  }
}

function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function errorOf(value: object | undefined): string {
  const error = value && 'Err' in value ? value.Err : '';
  return typeof error === 'string' ? error : '';
}
