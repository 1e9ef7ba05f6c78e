// npm run demo [-- --kind | --context NAME --registry HOST/PATH]: the whole system on a real cluster, from nothing.
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { say } from '../cluster/progress.ts';
import { openTarget } from '../cluster/target.ts';
import { writeOverlay } from '../overlay.ts';

const { values } = parseArgs({
  options: { context: { type: 'string' }, registry: { type: 'string' }, kind: { type: 'boolean' } },
});
const started = Date.now();
say(
  values.context
    ? `Demo on context ${values.context}`
    : values.kind
      ? 'Demo on the kind cluster jvs; kind delete cluster --name jvs removes it'
      : 'Demo on a cluster of its own; npm run cluster -- down removes it',
);
const target = await openTarget(values);
const tour = await target.start([
  process.execPath,
  join(import.meta.dirname, 'tour.ts'),
  await writeOverlay(target),
  target.own ? 'config/dev/samples' : 'test/demo/samples',
  target.own ? 'npm run cluster -- kubectl' : 'kubectl',
]);
const [code] = await once(tour, 'close');
say(`\nDemo ${code === 0 ? 'done' : 'failed'} after ${Math.round((Date.now() - started) / 1000)} s`);
process.exitCode = code ?? 1;
