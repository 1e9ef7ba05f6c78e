import { killMatrix } from './restore-kills.ts';
import { useNamespace } from './world.ts';

const namespace = useNamespace();
killMatrix(namespace, 'agent');
killMatrix(namespace, 'pod');
