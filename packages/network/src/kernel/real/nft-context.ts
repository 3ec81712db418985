import koffi from 'koffi';
import { SystemCallError } from './libc.js';

const LIBRARY = 'libnftables.so.1';

function loadLibrary() {
  try {
    const library = koffi.load(LIBRARY);
    return {
      create: library.func('void *nft_ctx_new(uint32_t flags)'),
      free: library.func('void nft_ctx_free(void *context)'),
      bufferOutput: library.func('int nft_ctx_buffer_output(void *context)'),
      bufferError: library.func('int nft_ctx_buffer_error(void *context)'),
      output: library.func('const char *nft_ctx_get_output_buffer(void *context)'),
      error: library.func('const char *nft_ctx_get_error_buffer(void *context)'),
      setFlags: library.func('void nft_ctx_output_set_flags(void *context, uint flags)'),
      run: library.func('int nft_run_cmd_from_buffer(void *context, const char *text)'),
    };
  } catch (cause) {
    throw new Error(
      `cannot load ${LIBRARY}: install the package libnftables1 (Debian, Ubuntu) or nftables`,
      { cause },
    );
  }
}

let library: ReturnType<typeof loadLibrary> | undefined;

const OUTPUT_JSON = 1 << 4;
/** Without what is in sets, which is then not even read. */
const OUTPUT_TERSE = 1 << 11;
/** nft prints the failing lines after the reason; the reason is what a log needs. */
const ERROR_CHARS_MAX = 2_000;

/** The errno's name for the words nft ends its message with. */
const CODES: Record<string, string> = {
  'No such file or directory': 'ENOENT',
  'File exists': 'EEXIST',
  'Device or resource busy': 'EBUSY',
  'Operation not permitted': 'EPERM',
  'Operation not supported': 'EOPNOTSUPP',
};

/** A libnftables context, tied to the namespace the thread is in when it is made. */
export class NftContext {
  readonly #context: unknown;
  readonly #library: NonNullable<typeof library>;

  constructor() {
    library ??= loadLibrary();
    this.#library = library;
    this.#context = library.create(0);
    library.bufferOutput(this.#context);
    library.bufferError(this.#context);
  }

  /**
   * Runs commands as one transaction; throws SystemCallError with nft's words when it is refused.
   */
  run(text: string): string {
    const result = this.#library.run(this.#context, text);
    const output: string = this.#library.output(this.#context) ?? '';
    const error: string = this.#library.error(this.#context) ?? '';
    if (result === 0) return output;
    const code = Object.entries(CODES).find(([words]) => error.includes(words))?.[1] ?? 'EINVAL';
    throw new SystemCallError(code, `nft: ${error.trim().slice(0, ERROR_CHARS_MAX)}`);
  }

  /** Runs a listing command; resolves nft's JSON. */
  list(command: string, how: 'full' | 'terse' = 'full'): unknown {
    const flags = how === 'terse' ? OUTPUT_JSON | OUTPUT_TERSE : OUTPUT_JSON;
    this.#library.setFlags(this.#context, flags);
    try {
      return JSON.parse(this.run(command));
    } finally {
      this.#library.setFlags(this.#context, 0);
    }
  }

  free(): void {
    this.#library.free(this.#context);
  }
}
