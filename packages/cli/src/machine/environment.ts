/** A value as it is where a shell reads it the same, quoted otherwise. */
function quoted(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}

/** What `env NAME` prints, for `eval`. */
export function exportLines({ name, url }: { name: string; url: string }): string {
  return [
    `export DOCKER_HOST=${quoted(url)}`,
    `export DOCKER_MACHINE_NAME=${quoted(name)}`,
    '# Run this command to configure your shell:',
    `# eval $(skep machine env ${name})`,
    '',
  ].join('\n');
}

/** What `env --unset` prints. */
export function unsetLines(): string {
  return [
    'unset DOCKER_HOST',
    'unset DOCKER_MACHINE_NAME',
    '# Run this command to configure your shell:',
    '# eval $(skep machine env -u)',
    '',
  ].join('\n');
}
