/** Names as messages carry them: labels with their lengths before them. */

const LABEL_BYTES_MAX = 63;
const NAME_BYTES_MAX = 255;
/** Of a length's byte: it is a pointer to the rest of the name. */
const POINTER = 0xc0;

/** Bytes that stand for themselves in a name's text. */
const PLAIN = /^[!-[\]-~]*$/;

export interface ReadName {
  /** In lower case, without the dot at its end; odd bytes as `\046`. */
  text: string;
  /** Where the message goes on. */
  end: number;
}

/** A name without pointers, as questions have it; undefined when it is none. */
export function readName(message: Buffer, start: number): ReadName | undefined {
  let text = '';
  let at = start;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > LABEL_BYTES_MAX) return undefined;
    const next = at + 1 + length;
    if (next - start > NAME_BYTES_MAX || next > message.length) return undefined;
    if (length === 0) return { text: text.toLowerCase(), end: next };
    const label = message.toString('latin1', at + 1, next);
    text += (text && '.') + (PLAIN.test(label) && !label.includes('.') ? label : escaped(label));
    at = next;
  }
}

/** Where the message goes on after a name, with a pointer or without; undefined: it is none. */
export function skipName(message: Buffer, start: number): number | undefined {
  let at = start;
  for (;;) {
    const length = message[at];
    if (length === undefined || at - start > NAME_BYTES_MAX) return undefined;
    if ((length & POINTER) === POINTER) return at + 2 <= message.length ? at + 2 : undefined;
    if (length > LABEL_BYTES_MAX) return undefined;
    at += 1 + length;
    if (length === 0) return at;
  }
}

/** The name as it goes into a message; undefined when it is too long, or has an empty label. */
export function encodeName(text: string): Buffer | undefined {
  const labels = text.split('.').map((label) => Buffer.from(label, 'latin1'));
  if (labels.some(({ length }) => length === 0 || length > LABEL_BYTES_MAX)) return undefined;
  const parts = labels.flatMap((label) => [Buffer.of(label.length), label]);
  const encoded = Buffer.concat([...parts, Buffer.of(0)]);
  return encoded.length <= NAME_BYTES_MAX ? encoded : undefined;
}

function escaped(label: string): string {
  return label.replaceAll(/[^!-~]|[.\\]/g, (odd) => {
    return `\\${odd.charCodeAt(0).toString().padStart(3, '0')}`;
  });
}
