// Packs skepd and skep with their modules into one file each: they start in half the time and need 10 MiB less
// than the hundreds of files they are made of. The compiler has checked and written those; nothing is lost by packing.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { build } from 'esbuild';
import { root } from './lib.mjs';

/** CommonJS modules inside the bundle expect a `require`. */
const REQUIRE =
  "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);";

const fromNetwork = createRequire(`${root}/packages/network/package.json`);

/** The same for both programs. */
const OPTIONS = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: ['koffi'], // native
  banner: { js: REQUIRE },
  minifySyntax: true,
  minifyWhitespace: true, // names stay, for stack traces that can be read
  sourcemap: 'linked',
  logLevel: 'error',
};

await build({
  ...OPTIONS,
  entryPoints: {
    skepd: 'packages/daemon/dist/main.js',
    // The network room starts its thread from a file beside its own.
    worker: fromNetwork.resolve('./dist/kernel/real/worker.js'),
  },
  outdir: 'packages/daemon/dist',
  // Its index loads fetch, WebSocket, caches and mocks too: 4 MiB nobody here uses.
  alias: { undici: `${root}/scripts/undici-parts.cjs` },
});

await build({
  ...OPTIONS,
  entryPoints: { skep: 'packages/cli/dist/main.js' },
  outdir: 'packages/cli/dist',
});

// One character beyond Latin-1, and V8 keeps all of a file's text in two bytes a character: 4 MiB more of each
// daemon. esbuild escapes them, but for those in regular expressions: write \u there.
for (const file of ['daemon/dist/skepd.js', 'daemon/dist/worker.js', 'cli/dist/skep.js']) {
  const wide = /.{0,40}[^\0-\xff]/u.exec(readFileSync(`${root}/packages/${file}`, 'utf8'));
  if (wide) throw new Error(`${file} has a character beyond Latin-1: ${wide[0]}`);
}
