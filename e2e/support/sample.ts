import { execFileSync } from 'node:child_process';

const SCRIPT = new URL('../../scripts/sample-image.mjs', import.meta.url).href;

/** The image most tests run: busybox; as a service it answers on port 80 with its container's name. */
export const IMAGE = 'skep/web:latest';

let archive: string | undefined;

/** Path of the image's archive for `docker load`; made once. */
export function sampleArchive(): string {
  const code = `import('${SCRIPT}').then((m) => process.stdout.write('\\n' + m.sampleImage()))`;
  archive ??= execFileSync(process.execPath, ['-e', code], { encoding: 'utf8' }).split('\n').at(-1);
  return archive ?? '';
}
