// Entry of the engine's process. See native/lane.ts for the other side.
import { serve } from './native/lane.ts';

serve(process);
