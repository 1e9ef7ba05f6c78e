// The demo's samples for clusters of others, against those in config/samples.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';

const read = (path: string): unknown => parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'));

const sample = z.object({
  kind: z.string(),
  metadata: z.object({ name: z.string() }),
  spec: z.record(z.string(), z.unknown()),
});
const overlay = z.object({
  patches: z.array(z.object({ target: z.object({ name: z.string() }), patch: z.string() })),
});

test('what only the development cluster has is taken out of them: its class, and JuiceFS behind it', () => {
  const { resources } = z
    .object({ resources: z.array(z.string()) })
    .parse(read('config/samples/Kustomization'));
  const { patches } = overlay.parse(read('test/demo/samples/Kustomization'));
  const removed = patches.flatMap(({ target, patch }) =>
    (parse(patch) as { op: string; path: string }[]).map(({ op, path }) => `${target.name} ${op} ${path}`),
  );
  const foreign = resources
    .map((file) => sample.parse(read(`config/samples/${file}`)))
    .filter(({ kind }) => kind === 'Workspace')
    .flatMap(({ metadata, spec }) =>
      ['storageClassName', 'juiceFsConfig']
        .filter((field) => Object.hasOwn(spec, field))
        .map((field) => `${metadata.name} remove /spec/${field}`),
    );
  expect(removed.sort()).toEqual(foreign.sort());
});
