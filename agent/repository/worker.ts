// Entry of the engine's processes. See native/lane.ts and native/differ.ts for the other side.
import { type Comparison, printDifferences } from './native/differ.ts';
import { serve } from './native/lane.ts';

const [comparison] = process.argv.slice(2);
if (comparison === undefined) serve(process);
else await printDifferences(JSON.parse(comparison) as Comparison);
