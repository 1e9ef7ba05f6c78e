// npm run build: dist/operator and dist/agent, each complete for its image: bundled code and proto/.
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');

const programs = {
  operator: { main: 'operator/main.ts' },
  agent: { main: 'agent/main.ts', worker: 'agent/repository/worker.ts' },
};

for (const [name, entryPoints] of Object.entries(programs)) {
  const outdir = join(root, 'dist', name);
  rmSync(outdir, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    // An agent runs in every workspace pod, and V8 keeps the source in memory.
    minify: name === 'agent',
    keepNames: true,
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'warning',
    banner: {
      // What CommonJS packages expect.
      js: [
        "import { createRequire as createRequire_ } from 'node:module';",
        'const require = createRequire_(import.meta.url);',
        'const { dirname: __dirname, filename: __filename } = import.meta;',
      ].join(' '),
    },
  });
  cpSync(join(root, 'proto'), join(outdir, 'proto'), { recursive: true });
}

// The command line, on the image's PATH.
cpSync(join(root, 'agent/bin/jvs-agent'), join(root, 'dist/agent/jvs-agent'));
