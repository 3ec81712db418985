import { ms } from './stats.mjs';

/**
 * One line of a result: `ours` and `theirs` in the unit that `format` prints; `better` says which is
 * better, so that the ratio is above one when we are; `goal` is a bound on `ours` or on the ratio.
 */
export function row(measure, ours, theirs, more = {}) {
  return { measure, ours, theirs, format: ms, better: 'less', ...more };
}

function ratioOf({ ours, theirs, better }) {
  if (theirs === undefined) return undefined;
  return better === 'less' ? theirs / ours : ours / theirs;
}

function verdict(line) {
  const { goal, ours, format } = line;
  if (!goal) return '';
  if (goal.ratio !== undefined) {
    const ratio = ratioOf(line);
    const text = `>= ${goal.ratio}x`;
    return ratio === undefined ? text : `${text} ${ratio >= goal.ratio ? 'met' : 'MISSED'}`;
  }
  return `<= ${format(goal.most)} ${ours <= goal.most ? 'met' : 'MISSED'}`;
}

/** Prints rows beside a peer's (`dockerd`, `etcd`). */
export function printTable(rows, peer) {
  console.log(`| measure | skepd | ${peer} | ratio | goal |\n| --- | --- | --- | --- | --- |`);
  for (const line of rows) {
    const { measure, ours, theirs, format } = line;
    const ratio = ratioOf(line);
    const cells = [
      measure,
      format(ours),
      theirs === undefined ? '-' : format(theirs),
      ratio === undefined ? '' : `${ratio.toFixed(ratio < 10 ? 1 : 0)}x`,
      verdict(line),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
