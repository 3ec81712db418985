import { TemplateError } from './error.js';
import { TEMPLATE_LENGTH_MAX } from './limits.js';

/** A stretch of plain text, or the inside of `{{…}}`. */
export type Chunk = { kind: 'text'; text: string } | { kind: 'action'; source: string };

const SPACE_AT_END = /[ \t\r\n]+$/;
const SPACE_AT_START = /^[ \t\r\n]+/;

/** The end of the action that begins at `start`: the first `}}` outside of quotes and comments. */
function actionEnd(text: string, start: number): number {
  const inside = /"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)*'|\/\*[\s\S]*?\*\/|\}\}/g;
  inside.lastIndex = start;
  for (let match = inside.exec(text); match; match = inside.exec(text)) {
    if (match[0] === '}}') return match.index;
  }
  throw new TemplateError('unclosed action');
}

/** Cuts a template into text and actions, with the white space gone that `{{-` and `-}}` ask for. */
export function scanTemplate(template: string): Chunk[] {
  if (template.length > TEMPLATE_LENGTH_MAX) throw new TemplateError('too long');
  const chunks: Chunk[] = [];
  let position = 0;
  let trimNext = false;
  const pushText = (text: string, trimEnd: boolean) => {
    let kept = trimNext ? text.replace(SPACE_AT_START, '') : text;
    if (trimEnd) kept = kept.replace(SPACE_AT_END, '');
    if (kept !== '') chunks.push({ kind: 'text', text: kept });
  };
  for (;;) {
    const open = template.indexOf('{{', position);
    if (open < 0) break;
    const end = actionEnd(template, open + 2);
    const raw = template.slice(open + 2, end);
    const trimsBefore = /^-[ \t\r\n]/.test(raw);
    const trimsAfter = /[ \t\r\n]-$/.test(raw);
    pushText(template.slice(position, open), trimsBefore);
    chunks.push({
      kind: 'action',
      source: raw.slice(trimsBefore ? 1 : 0, trimsAfter ? -1 : undefined),
    });
    trimNext = trimsAfter;
    position = end + 2;
  }
  pushText(template.slice(position), false);
  return chunks;
}
