// npm run build: dist/operator and dist/agent, each complete for its image: bundled code and proto/; and
// dist/kubectl-jvs, one file for a user's PATH. Arguments: only these of them.
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');

const programs = {
  operator: { main: 'operator/main.ts', issuer: 'operator/certs/issuer-process.ts' },
  agent: {
    main: 'agent/main.ts',
    worker: 'agent/repository/worker.ts',
    transfer: 'agent/transfer/worker.ts',
  },
};

const only = process.argv.slice(2);
const wanted = (name: string) => only.length === 0 || only.includes(name);

// What CommonJS packages expect.
const commonJs = [
  "import { createRequire as createRequire_ } from 'node:module';",
  'const require = createRequire_(import.meta.url);',
  'const { dirname: __dirname, filename: __filename } = import.meta;',
].join(' ');

/**
 * Node's modules by require: an import reads every export, also those that load more as they are read – of `http` the
 * client behind fetch, of `crypto` the one of the web. No program here uses them, and an idle agent pays 2 MiB.
 */
const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?[a-z]/ }, ({ path, kind }) => {
      const name = path.replace(/^node:/, '');
      const imported = kind === 'import-statement' && builtinModules.includes(name);
      return imported ? { path: name, namespace: 'builtin' } : undefined;
    });
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

const LANGUAGE = /\/zod\/.*\/locales\/(?!en\.js)/;

/**
 * `z.core` and `z.locales` bring all of zod along, with 50 languages: an engine then takes half as long again to start.
 * @throws Error
 */
function refuseLanguages({ outputs }: Metafile): void {
  for (const [output, { inputs }] of Object.entries(outputs)) {
    const language = Object.keys(inputs).find((path) => LANGUAGE.test(path) && inputs[path]?.bytesInOutput);
    if (language) throw new Error(`${language} is in ${output}: what here names a namespace of zod's?`);
  }
}

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  keepNames: true,
  plugins: [lazyBuiltins],
  logLevel: 'warning',
};

for (const [name, entryPoints] of Object.entries(programs).filter(([name]) => wanted(name))) {
  const outdir = join(root, 'dist', name);
  rmSync(outdir, { recursive: true, force: true });
  const { metafile } = await build({
    ...common,
    entryPoints,
    outdir,
    metafile: true,
    splitting: true,
    // V8 keeps the source in memory.
    minify: true,
    sourcemap: 'linked',
    sourcesContent: false,
    banner: { js: commonJs },
  });
  refuseLanguages(metafile);
  cpSync(join(root, 'proto'), join(outdir, 'proto'), { recursive: true });
  // The command line, on the image's PATH.
  if (name === 'agent') cpSync(join(root, 'agent/bin/jvs-agent'), join(outdir, 'jvs-agent'));
}

if (wanted('kubectl-jvs')) {
  const plugin = join(root, 'dist/kubectl-jvs');
  await build({
    ...common,
    entryPoints: ['plugin/main.ts'],
    outfile: plugin,
    // A user's Node is older than that of the images.
    target: 'node24',
    minify: true,
    banner: { js: `#!/usr/bin/env node\n${commonJs}` },
  });
  chmodSync(plugin, 0o755);
}
