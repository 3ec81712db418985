/** Columns as docker-machine's and docker's lists have them: as wide as their longest cell and three. */
const GAP = 3;

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd((widths[column] ?? 0) + GAP))
      .join('')
      .trimEnd();
  return `${[head, ...rows].map(line).join('\n')}\n`;
}
