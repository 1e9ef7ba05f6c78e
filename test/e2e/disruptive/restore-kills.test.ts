import { killMatrix } from '../restore-kills.ts';
import { useNamespace } from '../world.ts';

killMatrix(useNamespace(), 'operator');
