/** A template that cannot be read or worked out. The message is a sentence for the person who wrote it. */
export class TemplateError extends Error {
  constructor(message: string) {
    super(`template: ${message}`);
    this.name = 'TemplateError';
  }
}
