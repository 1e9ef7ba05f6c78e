// npm run build: dist/operator and dist/agent, each complete for its image: bundled code and proto/.
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

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
    minifySyntax: true,
    keepNames: true,
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'warning',
    define: { 'process.env.JVS_VERSION': JSON.stringify(version) },
    banner: {
      // What CommonJS packages expect; @grpc/reflection finds its .proto files at ../../proto from its build/src.
      js: [
        "import { createRequire as createRequire_ } from 'node:module';",
        'const require = createRequire_(import.meta.url);',
        "const __dirname = import.meta.dirname + '/build/src';",
        "const __filename = __dirname + '/main.js';",
      ].join(' '),
    },
  });
  cpSync(join(root, 'proto'), join(outdir, 'proto'), { recursive: true });
}

const reflection = join(root, 'node_modules/@grpc/reflection/build/proto/grpc');
if (!existsSync(reflection))
  throw new Error(`@grpc/reflection has moved its .proto files from ${reflection}`);
cpSync(reflection, join(root, 'dist/agent/proto/grpc'), { recursive: true });
