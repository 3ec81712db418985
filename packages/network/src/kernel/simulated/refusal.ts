/** What the simulated kernel refuses; `code` is the errno's name. */
export class SimRefusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
